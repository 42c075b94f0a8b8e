package metric

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// The line is what CloudWatch's specification asks for.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	if err := Log(&out, time.UnixMilli(1763840000123), Service("processor"), Value{Applied, "Count", 12}, Value{"lag", "Milliseconds", 0.5}); err != nil {
		t.Fatal(err)
	}
	const want = `{"_aws":{"CloudWatchMetrics":[{"Dimensions":[["service"]],"Metrics":[{"Name":"applied","Unit":"Count"},{"Name":"lag","Unit":"Milliseconds"}],"Namespace":"CoAP"}],"Timestamp":1763840000123},"applied":12,"lag":0.5,"service":"processor"}` + "\n"
	if out.String() != want {
		t.Errorf("got  %swant %s", out.String(), want)
	}
	if !json.Valid(out.Bytes()) {
		t.Error("not JSON")
	}
	of, values, ok := ParseLog(out.Bytes())
	if !ok || of != Service("processor") || !reflect.DeepEqual(values, map[string]float64{"applied": 12, "lag": 0.5}) {
		t.Errorf("parsed %q, %v, %v", of, values, ok)
	}
	for _, line := range []string{"", "text", `{"level":"INFO","msg":"x","applied":1}`, "[]"} {
		if _, _, ok := ParseLog([]byte(line)); ok {
			t.Errorf("%q passes for a line of metrics", line)
		}
	}
}
