package local

import (
	"encoding/json"
	"net/http"
	"time"
)

// labPath begins the paths of this service's own controls. No AWS service has one like it.
const labPath = "/_lab/"

// labMux serves the controls, as JSON, to whoever can reach the port:
//
//	GET, POST, DELETE /_lab/faults       list, add (a Fault), remove all
//	DELETE            /_lab/faults/ID    remove one
//	GET, PUT, DELETE  /_lab/quotas       show, set (a Quotas), switch off
//	PUT               /_lab/quotas/default
//	PUT               /_lab/clock/REGION set how far ahead its clock is: "-90s"
//	GET, DELETE       /_lab/published/REGION
func (s *Service) labMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_lab/faults", func(w http.ResponseWriter, r *http.Request) {
		writeLab(w, http.StatusOK, s.Faults())
	})
	mux.HandleFunc("POST /_lab/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		if !readLab(w, r, &f) {
			return
		}
		id, err := s.AddFault(f)
		if err != nil {
			writeLab(w, http.StatusBadRequest, labError{err.Error()})
			return
		}
		f.ID = id
		writeLab(w, http.StatusCreated, f)
	})
	mux.HandleFunc("DELETE /_lab/faults", func(w http.ResponseWriter, r *http.Request) {
		s.RemoveFault("")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /_lab/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !s.RemoveFault(r.PathValue("id")) {
			writeLab(w, http.StatusNotFound, labError{"no such fault"})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /_lab/quotas", func(w http.ResponseWriter, r *http.Request) {
		writeLab(w, http.StatusOK, s.Quotas())
	})
	mux.HandleFunc("PUT /_lab/quotas", func(w http.ResponseWriter, r *http.Request) {
		var q Quotas
		if readLab(w, r, &q) {
			s.SetQuotas(q)
			writeLab(w, http.StatusOK, q)
		}
	})
	mux.HandleFunc("PUT /_lab/quotas/default", func(w http.ResponseWriter, r *http.Request) {
		s.SetQuotas(DefaultQuotas())
		writeLab(w, http.StatusOK, s.Quotas())
	})
	mux.HandleFunc("DELETE /_lab/quotas", func(w http.ResponseWriter, r *http.Request) {
		s.SetQuotas(Quotas{})
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /_lab/clock/{region}", func(w http.ResponseWriter, r *http.Request) {
		var ahead Delay
		if readLab(w, r, &ahead) {
			s.ShiftClock(r.PathValue("region"), time.Duration(ahead))
			writeLab(w, http.StatusOK, ahead)
		}
	})
	mux.HandleFunc("GET /_lab/published/{region}", func(w http.ResponseWriter, r *http.Request) {
		writeLab(w, http.StatusOK, s.Published(r.PathValue("region")))
	})
	mux.HandleFunc("DELETE /_lab/published/{region}", func(w http.ResponseWriter, r *http.Request) {
		s.ForgetPublished(r.PathValue("region"))
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

type labError struct {
	Error string `json:"error"`
}

// readLab decodes a request and answers 400 if it cannot. A field that it does not know is
// a fault: a misspelt one would break nothing, and seem to.
func readLab(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		writeLab(w, http.StatusBadRequest, labError{err.Error()})
		return false
	}
	return true
}

func writeLab(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(encode(v), '\n'))
}
