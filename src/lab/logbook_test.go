package lab

import (
	"strings"
	"testing"
)

func TestReadable(t *testing.T) {
	for line, want := range map[string]string{
		`{"time":"2026-11-22T20:24:51Z","level":"INFO","msg":"listening","ingestor":"use1-a","n":3,"list":["a"]}`: `listening ingestor=use1-a n=3 list=["a"]`,
		`{"time":"2026-11-22T20:24:51Z","level":"ERROR","msg":"no \"queue\"","error":"x: y"}`:                     `ERROR no "queue" error=x: y`,
		`panic: as ordered`:            `panic: as ordered`,
		`{"level":"INFO"}`:             `{"level":"INFO"}`,
		`{"msg":"cut off","a":`:        `{"msg":"cut off","a":`,
		`["msg"]`:                      `["msg"]`,
		``:                             ``,
		`{"msg":"x","nested":{"a":1}}`: `x nested={"a":1}`,
	} {
		if got := readable([]byte(line)); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", line, got, want)
		}
	}
	var out strings.Builder
	book := newLogbook(&out)
	book.line("use1-a", []byte(`{"msg":"one"}`))
	book.of("use1-a")("two %d", 2)
	if book.lastOf("use1-a") != "one" || !strings.HasSuffix(out.String(), " use1-a       two 2\n") {
		t.Errorf("log %q", out.String())
	}
}
