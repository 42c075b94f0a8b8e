package processor

import (
	"reflect"
	"strings"
	"testing"

	"coap-for-aws-iot/src/environ"
)

func TestFromEnviron(t *testing.T) {
	required := []string{"COAP_QUEUE_URL=https://q/1/q", "COAP_DLQ_URL=https://d/1/d"}
	const here = "https://sqs.us-east-1.amazonaws.com/1/"
	for _, tt := range []struct {
		name string
		env  []string
		want Config
		err  string // part of it; empty if there is none
	}{
		{"only what is required", required, Config{QueueURL: "https://q/1/q", DLQURL: "https://d/1/d", AutoCreate: CreateAny}, ""},
		{"everything", append(required, "COAP_IOT_ENDPOINT=https://i", "COAP_AUTO_CREATE=things", "COAP_CREATE_PER_MINUTE=60", "COAP_ALLOWED_TYPES=th, door", "COAP_PUBLISH=coap/{id}"),
			Config{QueueURL: "https://q/1/q", DLQURL: "https://d/1/d", IoTEndpoint: "https://i", AutoCreate: CreateThings, CreatePerMinute: 60, AllowedTypes: []string{"th", "door"}, Publish: "coap/{id}"}, ""},
		{"in its own region", []string{"AWS_REGION=us-east-1", "COAP_QUEUE_URL=" + here + "q", "COAP_DLQ_URL=" + here + "d"},
			Config{QueueURL: here + "q", DLQURL: here + "d", AutoCreate: CreateAny}, ""},
		{"a queue in another region", []string{"AWS_REGION=eu-west-1", "COAP_QUEUE_URL=" + here + "q", "COAP_DLQ_URL=https://d/1/d"},
			Config{}, `COAP_QUEUE_URL="` + here + `q": want a queue in AWS_REGION, eu-west-1`},
		{"dead letters in another region", []string{"AWS_REGION=eu-west-1", "COAP_QUEUE_URL=https://q/1/q", "COAP_DLQ_URL=" + here + "d"},
			Config{}, `COAP_DLQ_URL="` + here + `d": want a queue in AWS_REGION, eu-west-1`},
		{"no URL", []string{"COAP_QUEUE_URL=foo", "COAP_DLQ_URL=https://d/1/d"}, Config{}, `COAP_QUEUE_URL="foo": want the URL of the primary queue, such as`},
		{"types that are none at all", append(required, "COAP_ALLOWED_TYPES=,"), Config{}, `COAP_ALLOWED_TYPES=","`},
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
