package processor

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

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

// The endpoint of the data plane: configured, the SDK's own, or asked for once.
func TestEndpoint(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		own := newIoT(Config{}, w.config)
		if own.data == nil || *own.data.Options().BaseEndpoint != "http://local.test" {
			t.Error("the SDK's endpoint is not used")
		}
		configured := newIoT(Config{IoTEndpoint: "http://configured.test"}, w.config)
		if configured.data == nil || *configured.data.Options().BaseEndpoint != "http://configured.test" {
			t.Error("the configured endpoint is not used")
		}
		c := w.config
		c.BaseEndpoint = nil
		asked := newIoT(Config{}, c)
		if asked.data != nil {
			t.Fatal("an endpoint is known without asking")
		}
		asked.control = w.iot
		for range 2 {
			data, err := asked.dataPlane(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := aws.ToString(data.Options().BaseEndpoint); !strings.HasPrefix(got, "https://") || len(got) < len("https://x") {
				t.Errorf("endpoint %q", got)
			}
			asked.control = nil // the second time it is not asked again
		}
	})
}
