// Package environ reads the environment variables by which daemons and Lambdas are
// configured. It reports all faults at once, and names variables that begin with
// COAP_ and that nobody asked for: a misspelt name must not be a silent default.
package environ

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Prefix begins the name of each variable of ours.
const Prefix = "COAP_"

// An Environ is an environment being read. Each method reads one variable; an
// absent or empty one yields the fallback. Faults are kept for Err.
type Environ struct {
	values map[string]string
	asked  map[string]bool
	faults []error
}

// New reads an environment in the form of os.Environ.
func New(environ []string) *Environ {
	e := &Environ{values: map[string]string{}, asked: map[string]bool{}}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			e.values[name] = strings.TrimSpace(value)
		}
	}
	return e
}

func (e *Environ) get(name string) string {
	e.asked[name] = true
	return e.values[name]
}

// Fault adds a fault of the value of a variable; want says what it should be.
func (e *Environ) Fault(name, want string) {
	e.faults = append(e.faults, fmt.Errorf("%s=%q: want %s", name, e.values[name], want))
}

// String returns a variable as it is.
func (e *Environ) String(name, fallback string) string {
	if v := e.get(name); v != "" {
		return v
	}
	return fallback
}

// Required returns a variable that has to be set; want says to what.
func (e *Environ) Required(name, want string) string {
	v := e.get(name)
	if v == "" {
		e.faults = append(e.faults, fmt.Errorf("%s is not set: want %s", name, want))
	}
	return v
}

// URL returns a variable that has to be set, to an http or https URL with a host and a
// path; want says to which.
func (e *Environ) URL(name, want string) string {
	v := e.Required(name, want)
	at, err := url.Parse(v)
	if v != "" && (err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || strings.Trim(at.Path, "/") == "") {
		e.Fault(name, want+", such as https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports")
	}
	return v
}

// OneOf returns a variable that has one of the given values, the first by default.
func (e *Environ) OneOf(name string, values ...string) string {
	v := e.String(name, values[0])
	if !slices.Contains(values, v) {
		e.Fault(name, "one of "+strings.Join(values, ", "))
		return values[0]
	}
	return v
}

// Bool returns a variable that is true or false.
func (e *Environ) Bool(name string, fallback bool) bool {
	v := e.get(name)
	if v == "" {
		return fallback
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		e.Fault(name, "true or false")
		return fallback
	}
	return b
}

// Int returns a whole number from min to max.
func (e *Environ) Int(name string, fallback, min, max int) int {
	v := e.get(name)
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < min || n > max {
		e.Fault(name, fmt.Sprintf("a whole number from %d to %d", min, max))
		return fallback
	}
	return n
}

// Duration returns a duration from min to max, written as in 5ms or 1m30s.
func (e *Environ) Duration(name string, fallback, min, max time.Duration) time.Duration {
	v := e.get(name)
	if v == "" {
		return fallback
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < min || d > max {
		e.Fault(name, fmt.Sprintf("a duration from %v to %v, such as %v", min, max, fallback))
		return fallback
	}
	return d
}

// List returns the parts of a comma-separated variable, without empty ones. Only a variable
// that is absent or empty means the fallback: one of commas alone names nothing, and is a fault.
func (e *Environ) List(name, fallback string) []string {
	var parts []string
	for part := range strings.SplitSeq(e.String(name, fallback), ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	if parts == nil && e.get(name) != "" {
		e.Fault(name, "a list, separated by commas, that names something")
	}
	return parts
}

// ListOf is List; parts that are not valid are a fault. want says what they should be.
func (e *Environ) ListOf(name, fallback string, valid func(string) bool, want string) []string {
	parts := e.List(name, fallback)
	if slices.ContainsFunc(parts, func(part string) bool { return !valid(part) }) {
		e.Fault(name, want)
	}
	return parts
}

// Addrs returns a comma-separated list of IP addresses.
func (e *Environ) Addrs(name string) []netip.Addr {
	var addrs []netip.Addr
	for _, part := range e.List(name, "") {
		addr, err := netip.ParseAddr(part)
		if err != nil {
			e.Fault(name, "IP addresses, separated by commas")
			return nil
		}
		addrs = append(addrs, addr.Unmap())
	}
	return addrs
}

// Unknown returns the names, sorted, that begin with COAP_ and that no method has
// asked for.
func (e *Environ) Unknown() []string {
	var names []string
	for name := range e.values {
		if strings.HasPrefix(name, Prefix) && !e.asked[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Err returns all faults so far, joined, or nil.
func (e *Environ) Err() error { return errors.Join(e.faults...) }

// ErrStrict is Err with a fault for each unknown name: for daemons, whose
// configuration and code are installed together. A Lambda only warns, because its
// configuration changes before its code.
func (e *Environ) ErrStrict() error {
	faults := slices.Clone(e.faults)
	for _, name := range e.Unknown() {
		faults = append(faults, fmt.Errorf("%s is not a variable of this program: remove it or correct its name", name))
	}
	return errors.Join(faults...)
}
