package world

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// saidBy is one text for what a device has said.
func saidBy(thing string, fields map[string]any) string {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return thing + " " + string(text)
}

// watchTopic returns what notes a message once AWS IoT has taken it, or nil if r is
// something else.
func (w *world) watchTopic(r *http.Request) (note func(*http.Response)) {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/topics/") {
		return nil
	}
	body := bodyOf(r)
	return func(response *http.Response) {
		if response.StatusCode != http.StatusOK {
			return
		}
		var message struct {
			ID       string
			Reported map[string]any
		}
		if json.Unmarshal(body, &message) != nil {
			w.faulty("AWS IoT took a message that is no JSON: %s", body)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.counts["published"]++
		w.published[saidBy(message.ID, message.Reported)] = true
	}
}

// bodyOf reads the body of a request, which can be read again.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// checkTopics finds each acknowledged reading among what was published: a rule has to see
// also those that a newer one has superseded before they reached a shadow.
func (w *world) checkTopics() {
	for _, said := range w.owing {
		if !w.published[said] {
			w.faulty("acknowledged and never published: %s", said)
		}
	}
}
