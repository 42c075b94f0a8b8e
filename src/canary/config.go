package canary

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"coap-for-aws-iot/src/environ"
)

// A Config says whom a canary probes and where it looks.
type Config struct {
	Name          string // COAP_NAME: code of the region in which it runs, such as use1
	Endpoints     []Endpoint
	PrimaryRegion string   // COAP_PRIMARY_REGION: whose AWS IoT has the shadows
	TouchQueues   []string // COAP_TOUCH_QUEUES: URLs in the canary's own region

	// IoTEndpoint is COAP_IOT_ENDPOINT, the URL of AWS IoT's data plane. Empty means that
	// of the SDK's own configuration (AWS_ENDPOINT_URL), and without that the account's,
	// which DescribeEndpoint tells.
	IoTEndpoint string
}

// An Endpoint is one address that firmware holds, and its name, such as use1-a.
type Endpoint struct {
	Name    string
	Address netip.AddrPort
}

// maxEndpoints bounds what one invocation does at a time.
const maxEndpoints = 32

// The name of a thing is made of two of these, see Canary.id, and has 128 characters at
// most.
var namePattern = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,48}$`)

// FromEnviron reads COAP_NAME, COAP_ENDPOINTS, COAP_PRIMARY_REGION, COAP_TOUCH_QUEUES and
// COAP_IOT_ENDPOINT. Faults are kept in e.
func FromEnviron(e *environ.Environ) Config {
	c := Config{
		Name:          e.Required("COAP_NAME", "the code of this region, such as use1"),
		PrimaryRegion: e.Required("COAP_PRIMARY_REGION", "the region whose AWS IoT has the shadows, such as us-east-1"),
		TouchQueues:   e.List("COAP_TOUCH_QUEUES", ""),
		IoTEndpoint:   e.String("COAP_IOT_ENDPOINT", ""),
	}
	if c.Name != "" && !namePattern.MatchString(c.Name) {
		e.Fault("COAP_NAME", "1 to 48 of a-z A-Z 0-9 : _ -")
	}
	const want = "the addresses to probe, such as use1-a=192.0.2.1:5683,euw1-a=192.0.2.2:5683"
	if e.Required("COAP_ENDPOINTS", want) == "" {
		return c
	}
	var err error
	if c.Endpoints, err = parseEndpoints(e.List("COAP_ENDPOINTS", "")); err != nil {
		e.Fault("COAP_ENDPOINTS", want+" ("+err.Error()+")")
	}
	return c
}

func parseEndpoints(list []string) (endpoints []Endpoint, err error) {
	if len(list) == 0 || len(list) > maxEndpoints {
		return nil, fmt.Errorf("%d of them, not 1 to %d", len(list), maxEndpoints)
	}
	seen := map[string]bool{}
	for _, item := range list {
		name, text, _ := strings.Cut(item, "=")
		address, err := netip.ParseAddrPort(text)
		switch {
		case err != nil || address.Port() == 0:
			return nil, fmt.Errorf("%q is no address and port", text)
		case !namePattern.MatchString(name):
			return nil, fmt.Errorf("%q is no name: 1 to 48 of a-z A-Z 0-9 : _ -", name)
		case seen[name] || seen[address.String()]:
			return nil, fmt.Errorf("%q comes twice", item)
		}
		seen[name], seen[address.String()] = true, true
		endpoints = append(endpoints, Endpoint{name, address})
	}
	return endpoints, nil
}
