// Package src_test holds what is true of all packages together.
package src_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "coap-for-aws-iot/src/"

// allowed is, for each package, all of ours that it may import, tests aside: the data
// flows one way, and the hops (ingestor, replicator, processor) meet only on a queue.
// docs/ARCHITECTURE.md draws it.
var allowed = map[string][]string{
	"cloudwatch":        {"sdk"},
	"coap":              {},
	"dataplane":         {},
	"envelope":          {},
	"environ":           {},
	"local":             {},
	"function":          {"environ", "sdk"},
	"metric":            {},
	"sdk":               {},
	"udp":               {},
	"device":            {"coap"},
	"device/client":     {"coap", "device", "udp"},
	"canary":            {"coap", "dataplane", "device", "device/client", "environ", "function", "metric"},
	"canary/lambda":     {"canary"},
	"device/simulate":   {"device"},
	"queue":             {"envelope", "sdk"},
	"ingestor":          {"cloudwatch", "coap", "envelope", "environ", "metric", "queue", "udp"},
	"ingestor/daemon":   {"ingestor", "queue"},
	"processor":         {"dataplane", "envelope", "environ", "function", "metric", "queue"},
	"processor/lambda":  {"processor", "queue"},
	"replicator":        {"envelope", "environ", "function", "metric", "queue"},
	"replicator/lambda": {"replicator", "queue"},
	"dist":              {},
	"lab/oracle":        {},    // what judges the rest may not know the rest
	"lab/world":         {"*"}, // tests only
	"lab":               {"*"}, // but not coapctl: nothing imports a main
	"coapctl":           {"*"},
}

// Who may import which of the libraries that carry the product's weight. The replicator
// knows the SDK's configuration, because it signs for two regions, and no service.
var libraries = map[string][]string{
	"github.com/aws/aws-sdk-go-v2":         {"canary", "cloudwatch", "dataplane", "function", "queue", "processor", "replicator", "sdk", "lab", "coapctl"},
	"github.com/aws/aws-sdk-go-v2/service": {"canary", "cloudwatch", "dataplane", "queue", "processor", "lab", "coapctl"},
	"github.com/aws/aws-lambda-go":         {"function", "queue", "processor", "replicator", "lab"},
	"github.com/plgd-dev/go-coap":          {"coap", "ingestor", "device/client"},
	"go.etcd.io/bbolt":                     {"local"},
	"github.com/alecthomas/kong":           {"coapctl"},
	"github.com/prometheus":                {"ingestor", "lab"},
	"github.com/fxamacker/cbor":            {"processor", "coapctl"},
	"github.com/coreos/go-systemd":         {"ingestor"},
	"github.com/gofrs/flock":               {"device/client"},
	"net/http/pprof":                       {"ingestor"},
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue // this package
		}
		seen++
		may, ok := allowed[name]
		if !ok {
			t.Errorf("%s is a new package: say in src/imports_test.go what it may import", name)
			continue
		}
		for _, path := range p.Imports {
			if imported, ours := strings.CutPrefix(path, module); ours && !slices.Contains(may, imported) && !slices.Contains(may, "*") {
				t.Errorf("%s may not import %s", name, imported)
			}
			for library, users := range libraries {
				if strings.HasPrefix(path, library) && !slices.Contains(users, name) {
					t.Errorf("%s may not import %s", name, path)
				}
			}
		}
	}
	if seen < 7 {
		t.Errorf("only %d packages of ours were looked at", seen)
	}
}
