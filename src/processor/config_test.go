package processor

import (
	"reflect"
	"strings"
	"testing"

	"coap-for-aws-iot/src/environ"
)

func TestFromEnviron(t *testing.T) {
	required := []string{"COAP_QUEUE_URL=https://q", "COAP_DLQ_URL=https://d"}
	for _, tt := range []struct {
		name string
		env  []string
		want Config
		err  string // part of it; empty if there is none
	}{
		{"only what is required", required, Config{QueueURL: "https://q", DLQURL: "https://d", AutoCreate: CreateAny}, ""},
		{"everything", append(required, "COAP_IOT_ENDPOINT=https://i", "COAP_AUTO_CREATE=things", "COAP_CREATE_PER_MINUTE=60", "COAP_ALLOWED_TYPES=th, door", "COAP_PUBLISH=coap/{id}"),
			Config{QueueURL: "https://q", DLQURL: "https://d", IoTEndpoint: "https://i", AutoCreate: CreateThings, CreatePerMinute: 60, AllowedTypes: []string{"th", "door"}, Publish: "coap/{id}"}, ""},
		{"nothing", nil, Config{}, "COAP_DLQ_URL"},
		{"no way to create", append(required, "COAP_AUTO_CREATE=maybe"), Config{}, "COAP_AUTO_CREATE"},
		{"a wildcard", append(required, "COAP_PUBLISH=coap/#"), Config{}, "COAP_PUBLISH"},
		{"a type that is none", append(required, "COAP_ALLOWED_TYPES=th,a/b"), Config{}, "COAP_ALLOWED_TYPES"},
	} {
		e := environ.New(tt.env)
		got := FromEnviron(e)
		switch err := e.ErrStrict(); {
		case tt.err == "" && (err != nil || !reflect.DeepEqual(got, tt.want)):
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.err)
		}
	}
}
