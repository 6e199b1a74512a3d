package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// An answer is what the API says: a status and a JSON body, or a refusal.
type answer struct {
	status int
	body   any
	header http.Header
	cut    cut           // how much of it arrives
	delay  time.Duration // it is late
}

// cut says how much of an answer arrives.
type cut int

const (
	whole   cut = iota
	half        // the connection breaks in the middle of the body
	nothing     // the connection breaks before the status line
)

// rawBody is a body that is no JSON.
type rawBody struct{ media, text string }

// errorBody is the API's ErrorBody.
type errorBody struct {
	Message       string            `json:"message"`
	Code          string            `json:"code"`
	Status        int               `json:"status"`
	MessageParams map[string]string `json:"messageParams"`
	ContextID     string            `json:"contextId"`
	Details       []any             `json:"details"`
	Errors        []any             `json:"errors"`
}

func refuse(status int, code, format string, args ...any) answer {
	return answer{status: status, body: &errorBody{Message: fmt.Sprintf(format, args...), Code: code, Status: status,
		MessageParams: map[string]string{}, Details: []any{}, Errors: []any{}}}
}

// message is the text of a refusal.
func (a *answer) message() string {
	if e, ok := a.body.(*errorBody); ok {
		return e.Message
	}
	return ""
}

func notFound() answer {
	return refuse(http.StatusNotFound, "not.found", "The requested resource was not found.")
}

func invalid(format string, args ...any) *answer {
	a := refuse(http.StatusBadRequest, "bad.request", format, args...)
	return &a
}

// write sends an answer, as much of it as arrives.
func (s *Server) write(w http.ResponseWriter, req *request, a answer) {
	maps.Copy(w.Header(), a.header)
	if e, ok := a.body.(*errorBody); ok {
		e.ContextID = req.id
	}
	s.mu.Lock()
	s.ledger.record(req.name, req.Method+" "+req.URL.Path, a.status)
	if s.o.Jitter > 0 {
		a.delay += time.Duration(s.rand.Int64N(int64(s.o.Jitter)))
	}
	s.mu.Unlock()
	if !pause(req.Request, a.delay) {
		return
	}
	if a.cut == nothing {
		panic(http.ErrAbortHandler)
	}
	if raw, ok := a.body.(rawBody); ok {
		w.Header().Set("Content-Type", raw.media)
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, raw.text)
		return
	}
	if a.body == nil && a.cut == whole {
		w.WriteHeader(a.status)
		return
	}
	data, err := json.Marshal(a.body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(a.status)
	if a.cut == half {
		_, _ = w.Write(data[:len(data)/2])
		_ = http.NewResponseController(w).Flush() // a recorder need not
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(data)
}
