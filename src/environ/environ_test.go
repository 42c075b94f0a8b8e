package environ

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestValues(t *testing.T) {
	e := New([]string{
		"COAP_S= text ", "COAP_B=true", "COAP_I=7", "COAP_D=5ms", "COAP_L= a,,b ,", "COAP_A=192.0.2.1, ::ffff:192.0.2.2",
		"COAP_ONE=things", "COAP_U=http://127.0.0.1:4566/us-east-1/1/q", "COAP_EMPTY=", "PATH=/bin", "broken",
	})
	for _, tt := range []struct{ got, want any }{
		{e.String("COAP_S", "x"), "text"},
		{e.String("COAP_EMPTY", "x"), "x"},
		{e.String("COAP_ABSENT", "x"), "x"},
		{e.Required("COAP_S", "text"), "text"},
		{e.URL("COAP_U", "text"), "http://127.0.0.1:4566/us-east-1/1/q"},
		{e.OneOf("COAP_ONE", "any", "things", "none"), "things"},
		{e.OneOf("COAP_ABSENT", "any", "things"), "any"},
		{e.Bool("COAP_B", false), true},
		{e.Bool("COAP_ABSENT", true), true},
		{e.Int("COAP_I", 1, 0, 10), 7},
		{e.Int("COAP_ABSENT", 1, 0, 10), 1},
		{e.Duration("COAP_D", time.Second, 0, time.Minute), 5 * time.Millisecond},
		{e.Duration("COAP_ABSENT", time.Second, 0, time.Minute), time.Second},
		{e.List("COAP_L", ""), []string{"a", "b"}},
		{e.List("COAP_ABSENT", ":5683"), []string{":5683"}},
		{e.List("COAP_EMPTY", ""), []string(nil)},
		{e.Addrs("COAP_A"), []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("got %v, want %v", tt.got, tt.want)
		}
	}
	if got := e.Unknown(); len(got) != 0 {
		t.Errorf("unknown: %v", got)
	}
	if err := e.ErrStrict(); err != nil {
		t.Error(err)
	}
}

// All faults are reported at once, each with what to write instead.
func TestFaults(t *testing.T) {
	e := New([]string{"COAP_B=maybe", "COAP_I=11", "COAP_J=x", "COAP_D=5", "COAP_A=1.2.3", "COAP_ONE=some", "COAP_L=, ,", "COAP_U=foo", "COAP_V=https://sqs.us-east-1.amazonaws.com/", "COAP_W=sqs.us-east-1.amazonaws.com/1/q", "COAP_X=https:///1/q", "COAP_TYPO=1", "COAP_ALSO=1"})
	e.Bool("COAP_B", false)
	e.Int("COAP_I", 1, 0, 10)
	e.Int("COAP_J", 1, 0, 10)
	e.Duration("COAP_D", time.Second, 0, time.Minute)
	e.Addrs("COAP_A")
	e.OneOf("COAP_ONE", "any", "none")
	e.List("COAP_L", "")
	for _, name := range []string{"COAP_U", "COAP_V", "COAP_W", "COAP_X", "COAP_Q"} {
		e.URL(name, "the URL of a queue")
	}
	if err := e.Err(); strings.Contains(err.Error(), "COAP_TYPO") {
		t.Errorf("Err names an unknown variable: %v", err)
	}
	got := strings.Split(e.ErrStrict().Error(), "\n")
	const queue = ": want the URL of a queue, such as https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports"
	want := []string{
		`COAP_B="maybe": want true or false`,
		`COAP_I="11": want a whole number from 0 to 10`,
		`COAP_J="x": want a whole number from 0 to 10`,
		`COAP_D="5": want a duration from 0s to 1m0s, such as 1s`,
		`COAP_A="1.2.3": want IP addresses, separated by commas`,
		`COAP_ONE="some": want one of any, none`,
		`COAP_L=", ,": want a list, separated by commas, that names something`,
		`COAP_U="foo"` + queue,
		`COAP_V="https://sqs.us-east-1.amazonaws.com/"` + queue,
		`COAP_W="sqs.us-east-1.amazonaws.com/1/q"` + queue,
		`COAP_X="https:///1/q"` + queue,
		`COAP_Q is not set: want the URL of a queue`,
		`COAP_ALSO is not a variable of this program: remove it or correct its name`,
		`COAP_TYPO is not a variable of this program: remove it or correct its name`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
