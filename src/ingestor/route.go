package ingestor

import (
	"slices"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/envelope"
)

// A route is where a request goes: to a queue, or back with an answer.
type route struct {
	report bool
	code   codes.Code // otherwise
	reason string     // metric label of a refusal; empty: none
	format message.MediaType
	health bool // answer by the state of the ingestor
}

// router maps requests to routes. It is pure and allocates nothing.
type router struct {
	allowedTypes []string // empty: any
}

func (rt *router) route(r *coap.Request) route {
	path := r.Path()
	switch {
	case len(path) == 1 && string(path[0]) == "health":
		return getOnly(r, route{health: true}, -1)
	case len(path) == 2 && string(path[0]) == ".well-known" && string(path[1]) == "core":
		// An empty link list (RFC 6690, section 2): the endpoints of firmware are fixed.
		return getOnly(r, route{code: codes.Content, format: message.AppLinkFormat}, int(message.AppLinkFormat))
	case len(path) != 2 || !envelope.ValidName(path[0]) || !envelope.ValidName(path[1]):
		return route{code: codes.NotFound, reason: "unknown-path"}
	case len(rt.allowedTypes) > 0 && !slices.ContainsFunc(rt.allowedTypes, func(t string) bool { return t == string(path[0]) }):
		return route{code: codes.NotFound, reason: "type-not-allowed"}
	case r.Method != codes.POST && r.Method != codes.PUT:
		return route{code: codes.MethodNotAllowed, reason: "method-not-allowed"}
	}
	if _, _, ok := r.Seq(); !ok {
		return route{code: codes.BadRequest, reason: "bad-sequence-number"}
	}
	return route{report: true}
}

// getOnly is a resource that can only be read, with a representation of the given
// Content-Format, or -1 for none. An Accept for another one is refused (RFC 7252,
// section 5.10.4).
func getOnly(r *coap.Request, found route, format int) route {
	if r.Method != codes.GET {
		return route{code: codes.MethodNotAllowed, reason: "method-not-allowed"}
	}
	if r.Accept >= 0 && format >= 0 && r.Accept != format {
		return route{code: codes.NotAcceptable, reason: "not-acceptable"}
	}
	return found
}
