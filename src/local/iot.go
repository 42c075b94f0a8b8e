package local

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// An iotRoute is one operation of AWS IoT: of the control plane ("iot") or of the data
// plane ("iot-data"). Their paths differ, so one port serves both.
type iotRoute struct {
	method    string
	path      []string // fixed segments and labels ("{thingName}"); the last label may hold slashes if it ends in "+}"
	service   string
	operation string
	answer    func(s *Service, c *call) (any, *apiError)
}

// iotRoutes are the operations that are implemented (service models iot and iot-data, 2015-05-28).
var iotRoutes = []iotRoute{
	route("POST", "/things/{thingName}", "iot", "CreateThing", iotIn((*Service).createThing)),
	route("GET", "/things/{thingName}", "iot", "DescribeThing", (*Service).describeThing),
	route("PATCH", "/things/{thingName}", "iot", "UpdateThing", iotIn((*Service).updateThing)),
	route("DELETE", "/things/{thingName}", "iot", "DeleteThing", (*Service).deleteThing),
	route("GET", "/things", "iot", "ListThings", (*Service).listThings),
	route("POST", "/thing-types/{thingTypeName}", "iot", "CreateThingType", iotIn((*Service).createThingType)),
	route("GET", "/thing-types/{thingTypeName}", "iot", "DescribeThingType", (*Service).describeThingType),
	route("GET", "/thing-types", "iot", "ListThingTypes", (*Service).listThingTypes),
	route("PATCH", "/thing-types/{thingTypeName}", "iot", "UpdateThingType", iotIn((*Service).updateThingType)),
	route("DELETE", "/thing-types/{thingTypeName}", "iot", "DeleteThingType", (*Service).deleteThingType),
	route("POST", "/thing-types/{thingTypeName}/deprecate", "iot", "DeprecateThingType", iotIn((*Service).deprecateThingType)),
	route("GET", "/endpoint", "iot", "DescribeEndpoint", (*Service).describeEndpoint),
	route("GET", "/things/{thingName}/shadow", "iot-data", "GetThingShadow", (*Service).getThingShadow),
	route("POST", "/things/{thingName}/shadow", "iot-data", "UpdateThingShadow", (*Service).updateThingShadow),
	route("DELETE", "/things/{thingName}/shadow", "iot-data", "DeleteThingShadow", (*Service).deleteThingShadow),
	route("GET", "/api/things/shadow/ListNamedShadowsForThing/{thingName}", "iot-data", "ListNamedShadowsForThing", (*Service).listNamedShadows),
	route("POST", "/topics/{topic+}", "iot-data", "Publish", (*Service).publish),
}

func route(method, path, service, operation string, answer func(*Service, *call) (any, *apiError)) iotRoute {
	return iotRoute{method, strings.Split(path[1:], "/"), service, operation, answer}
}

// iotIn adapts a method that takes its decoded body. An empty body is an empty object.
func iotIn[In any](f func(*Service, *call, *In) (any, *apiError)) func(*Service, *call) (any, *apiError) {
	return func(s *Service, c *call) (any, *apiError) {
		in := new(In)
		if len(c.body) > 0 {
			if err := json.Unmarshal(c.body, in); err != nil {
				return nil, fail(http.StatusBadRequest, "SerializationException", "%v", err)
			}
		}
		return f(s, c, in)
	}
}

// match returns the labels of the path if the route fits it.
func (t *iotRoute) match(segments []string) (map[string]string, bool) {
	last := t.path[len(t.path)-1]
	if strings.HasSuffix(last, "+}") && len(segments) > len(t.path) {
		n := len(t.path) - 1
		segments = append(slices.Clone(segments[:n]), strings.Join(segments[n:], "/"))
	}
	if len(segments) != len(t.path) {
		return nil, false
	}
	labels := make(map[string]string, 1)
	for i, want := range t.path {
		if name, ok := strings.CutPrefix(want, "{"); ok {
			v, err := url.PathUnescape(segments[i])
			if err != nil || v == "" {
				return nil, false
			}
			labels[strings.TrimRight(name, "+}")] = v
			continue
		}
		if want != segments[i] {
			return nil, false
		}
	}
	return labels, true
}

func (s *Service) serveIoT(w http.ResponseWriter, r *http.Request, body []byte) {
	out, err := s.callIoT(r, body)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amzn-Requestid", newID())
	if err != nil {
		h.Set("X-Amzn-Errortype", err.name)
		w.WriteHeader(err.status)
		out = err.body()
	}
	switch out := out.(type) {
	case nil:
		w.Write([]byte("{}"))
	case json.RawMessage:
		w.Write(out)
	default:
		b, err := json.Marshal(out)
		if err != nil {
			panic(err) // our own types
		}
		w.Write(b)
	}
}

func (s *Service) callIoT(r *http.Request, body []byte) (any, *apiError) {
	signed, err := signedRegion(r)
	if err != nil {
		return nil, err
	}
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range iotRoutes {
		t := &iotRoutes[i]
		if t.method != r.Method {
			continue
		}
		labels, ok := t.match(segments)
		if !ok {
			continue
		}
		c := &call{
			service:   t.service,
			operation: t.operation,
			region:    s.region(signed),
			body:      body,
			request:   r,
			path:      labels,
		}
		return s.answer(c, func() (any, *apiError) { return t.answer(s, c) })
	}
	return nil, unknownOperation(http.StatusNotFound)
}

// query returns a parameter of the query string.
func (c *call) query(name string) string { return c.request.URL.Query().Get(name) }

func (s *Service) iotARN(c *call, kind, name string) string {
	return "arn:aws:iot:" + c.region.name + ":" + s.account + ":" + kind + "/" + name
}

func invalidRequest(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "InvalidRequestException", format, args...)
}

// describeEndpoint points back here: the caller's own address serves the data plane too.
func (s *Service) describeEndpoint(c *call) (any, *apiError) {
	switch kind := c.query("endpointType"); kind {
	case "", "iot:Data", "iot:Data-ATS":
		return struct {
			EndpointAddress string `json:"endpointAddress"`
		}{hostOf(c.request)}, nil
	default:
		return nil, invalidRequest("Endpoint type %s is not served here.", kind)
	}
}
