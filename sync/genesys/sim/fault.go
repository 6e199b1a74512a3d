package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Effect is what a fault does to a request.
type Effect string

// The effects.
const (
	Status      Effect = "status"      // refused with Fault.Code, before anything is done
	Drop        Effect = "drop"        // the connection breaks before anything is done
	Lost        Effect = "lost"        // it is carried out, and the answer is lost
	Truncated   Effect = "truncated"   // it is carried out, and half of the answer arrives
	HTML        Effect = "html"        // a proxy's error page with status 502
	Slow        Effect = "slow"        // it is carried out, and the answer is late by Fault.Delay
	Conflict409 Effect = "conflict409" // somebody else changed the user just before; said as 409
	Conflict400 Effect = "conflict400" // the same, said as 400 with a text
	Spurious    Effect = "spurious"    // 409 about the version, though it was right
	Edited      Effect = "edited"      // somebody else changed the title just before
	Revoked     Effect = "revoked"     // every token is revoked
)

// A Fault is something that goes wrong for some of the requests. The first that applies is in force.
type Fault struct {
	Method string  // "" or "*": any
	Path   string  // "" or "*": any; a * at the end is anything
	User   string  // only requests about the user with this address
	Share  float64 // of the requests that match; 0: all
	Times  int     // how often; 0: for ever
	Effect Effect

	Code       int           // of Status
	RetryAfter int           // seconds, of Status; 0: none
	Delay      time.Duration // of Slow
}

// ParseFault reads a fault in words: [METHOD] [PATH] [user=EMAIL] [N%] [xN] EFFECT [retry-after=N].
// EFFECT is a status, or one of the effects; slow is slow=2s.
//
//	PATCH /api/v2/users/* 10% lost
//	PATCH user=bob@example.com 500
//	* 5% 503 retry-after=1
func ParseFault(text string) (Fault, error) {
	var f Fault
	fail := func(word, why string) (Fault, error) {
		return Fault{}, fmt.Errorf("fault %q: %q %s", text, word, why)
	}
	for _, word := range strings.Fields(text) {
		name, value, hasValue := strings.Cut(word, "=")
		switch {
		case slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, word):
			f.Method = word
		case word == "*":
		case strings.HasPrefix(word, "/"):
			f.Path = word
		case hasValue && name == "user":
			f.User = strings.ToLower(value)
		case hasValue && name == "retry-after":
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				return fail(word, "is not a number of seconds")
			}
			f.RetryAfter = n
		case hasValue && name == "slow":
			d, err := time.ParseDuration(value)
			if err != nil || d <= 0 {
				return fail(word, "is not a duration, such as slow=2s")
			}
			f.Effect, f.Delay = Slow, d
		case strings.HasSuffix(word, "%"):
			p, err := strconv.ParseFloat(strings.TrimSuffix(word, "%"), 64)
			if err != nil || !(p > 0 && p <= 100) {
				return fail(word, "is not a share between 0% and 100%")
			}
			f.Share = p / 100
		case len(word) > 1 && word[0] == 'x' && strings.Trim(word[1:], "0123456789") == "":
			n, err := strconv.Atoi(word[1:])
			if err != nil || n == 0 {
				return fail(word, "is not a number of times, such as x3")
			}
			f.Times = n
		case len(word) == 3 && word[0] >= '4' && word[0] <= '5' && strings.Trim(word, "0123456789") == "":
			f.Effect = Status
			f.Code, _ = strconv.Atoi(word)
		case slices.Contains([]Effect{Drop, Lost, Truncated, HTML, Conflict409, Conflict400, Spurious, Edited, Revoked}, Effect(word)):
			f.Effect = Effect(word)
		default:
			return fail(word, "is not understood; write [METHOD] [PATH] [user=EMAIL] [N%] [xN] and a status or an effect")
		}
	}
	if f.Effect == "" {
		return Fault{}, fmt.Errorf("fault %q: it says no status and no effect, such as 503 or lost", text)
	}
	return f, nil
}

// AddFault puts a fault in force, after those that are.
func (s *Server) AddFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// withFaults handles a request under the fault that applies to it, if any. The lock is held.
func (s *Server) withFaults(req *request, h handler) answer {
	f := s.fault(req)
	if f == nil {
		return h(req)
	}
	target := s.dir.byID[req.PathValue("id")]
	touch := func(edit func(*User)) {
		if target != nil {
			s.dir.change(target, time.Now(), edit)
		}
	}
	switch f.Effect {
	case Status:
		a := refuse(f.Code, faultCode(f.Code), "A fault of the simulator.")
		if f.RetryAfter > 0 {
			a.header = http.Header{"Retry-After": {strconv.Itoa(f.RetryAfter)}}
		}
		return a
	case Drop:
		return answer{cut: nothing}
	case HTML:
		return answer{status: http.StatusBadGateway, body: rawBody{"text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>"}}
	case Conflict409, Conflict400:
		touch(func(u *User) { u.Biography += "." })
		status := map[Effect]int{Conflict409: http.StatusConflict, Conflict400: http.StatusBadRequest}[f.Effect]
		if target != nil {
			return *conflictVersion(status, target.Version-1, target.Version)
		}
	case Spurious:
		return *conflictVersion(http.StatusConflict, 0, 0)
	case Edited:
		touch(func(u *User) { u.Title = "Edited by hand" })
	case Revoked:
		s.revoke()
		return refuse(http.StatusUnauthorized, "bad.credentials", "Invalid login credentials.")
	}
	a := h(req)
	switch f.Effect {
	case Lost:
		a.cut = nothing
	case Truncated:
		a.cut = half
	case Slow:
		a.delay = f.Delay
	}
	return a
}

// fault finds the first fault that applies, and counts it.
func (s *Server) fault(req *request) *Fault {
	for _, f := range s.faults {
		if !f.matches(req, s.subject(req)) || f.Share > 0 && s.rand.Float64() >= f.Share {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.DeleteFunc(slices.Clone(s.faults), func(g *Fault) bool { return g == f })
			}
		}
		return f
	}
	return nil
}

func (f *Fault) matches(req *request, subject string) bool {
	if f.Method != "" && f.Method != "*" && f.Method != req.Method || f.User != "" && f.User != subject {
		return false
	}
	prefix, open := strings.CutSuffix(f.Path, "*")
	return f.Path == "" || req.URL.Path == f.Path || open && strings.HasPrefix(req.URL.Path, prefix)
}

// subject is the address of the user that a request is about, if it is about one.
func (s *Server) subject(req *request) string {
	if r := s.dir.byID[req.PathValue("id")]; r != nil {
		return strings.ToLower(r.Email)
	}
	var body struct {
		Email string `json:"email"`
	}
	_ = json.Unmarshal(req.body, &body) // most bodies have none
	return strings.ToLower(body.Email)
}

func faultCode(status int) string {
	codes := map[int]string{
		400: "bad.request", 401: "bad.credentials", 403: "missing.any.permissions", 404: "not.found", 408: "client.timeout",
		409: "general.conflict", 429: "too.many.requests.retry.after", 500: "internal.server.error",
		503: "service.unavailable", 504: "request.timeout",
	}
	if c, ok := codes[status]; ok {
		return c
	}
	return "client.failed.request"
}
