package canary

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"coap-for-aws-iot/src/environ"
)

func TestFromEnviron(t *testing.T) {
	required := []string{"COAP_NAME=use1", "COAP_PRIMARY_REGION=us-east-1"}
	e := environ.New(append(required, "COAP_ENDPOINTS=use1-a=192.0.2.1:5683, euw1-a=[2001:db8::1]:5683", "COAP_TOUCH_QUEUES=https://a,https://b", "COAP_IOT_ENDPOINT=https://i"))
	got, want := FromEnviron(e), Config{
		Name: "use1", PrimaryRegion: "us-east-1", TouchQueues: []string{"https://a", "https://b"}, IoTEndpoint: "https://i",
		Endpoints: []Endpoint{{"use1-a", netip.MustParseAddrPort("192.0.2.1:5683")}, {"euw1-a", netip.MustParseAddrPort("[2001:db8::1]:5683")}},
	}
	if err := e.ErrStrict(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	many := "COAP_ENDPOINTS="
	for i := range maxEndpoints + 1 {
		many += fmt.Sprintf("e%d=192.0.2.%d:5683,", i, i+1)
	}
	for _, tt := range []struct{ endpoints, fault string }{
		{"COAP_ENDPOINTS=", "COAP_ENDPOINTS is not set"},
		{"COAP_ENDPOINTS=,", "0 of them"},
		{"COAP_ENDPOINTS=192.0.2.1:5683", "is no address"},
		{"COAP_ENDPOINTS=a=host:5683", "is no address"},
		{"COAP_ENDPOINTS=a=192.0.2.1", "is no address"},
		{"COAP_ENDPOINTS=a=192.0.2.1:0", "is no address"},
		{"COAP_ENDPOINTS=a b=192.0.2.1:5683", "is no name"},
		{"COAP_ENDPOINTS=a=192.0.2.1:5683,a=192.0.2.2:5683", "comes twice"},
		{"COAP_ENDPOINTS=a=192.0.2.1:5683,b=192.0.2.1:5683", "comes twice"},
		{many, "33 of them"},
	} {
		e := environ.New(append(required, tt.endpoints))
		FromEnviron(e)
		if err := e.Err(); err == nil || !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s: %v, want %s", tt.endpoints, err, tt.fault)
		}
	}
	e = environ.New([]string{"COAP_NAME=use 1"})
	FromEnviron(e)
	for _, name := range []string{"COAP_NAME", "COAP_PRIMARY_REGION", "COAP_ENDPOINTS"} {
		if err := e.Err(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
