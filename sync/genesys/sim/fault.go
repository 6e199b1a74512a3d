package sim

import (
	"bytes"
	"encoding/json"
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
	Done        Effect = "done"        // it is carried out, and a gateway answers with Fault.Code
	HTML        Effect = "html"        // a proxy's error page with status 502
	Slow        Effect = "slow"        // it is carried out, and the answer is late by Fault.Delay
	Conflict409 Effect = "conflict409" // somebody else changed the user just before; said as 409
	Conflict400 Effect = "conflict400" // the same, said as 400 with a text
	Spurious    Effect = "spurious"    // 409 about the version, though it was right
	Edited      Effect = "edited"      // somebody else changed the title just before
	Expired     Effect = "expired"     // the request's token has expired
	Revoked     Effect = "revoked"     // every token is revoked
	Listing     Effect = "listing"     // the pages of a listing contradict themselves or each other, as Fault.Shape says
)

// A Fault is something that goes wrong for some of the requests to the API. The first that applies is
// in force.
type Fault struct {
	Method string  // "" or "*": any
	Path   string  // "" or "*": any; a * at the end is anything
	User   string  // only requests about the user with this address or id
	After  int     // spares so many of the requests that match
	Every  int     // of the rest only every n-th; 0: all
	Share  float64 // of the rest, at random; 0: all
	Times  int     // how often; 0: for ever
	Effect Effect  // Listing spares and counts listings, each with all its pages; without a Path, or with *, it is that of users

	Code       int           // of Status and Done
	APICode    string        // of Status: the code of the body; "": the usual one of the status
	RetryAfter string        // of Status, as it is sent; "date:90" is the date 90 s from then; "": none
	Delay      time.Duration // of Slow
	Shape      string        // of Listing: null, hole, short:3 and so on; "": empty

	met int // requests that matched
}

// AddFault puts a fault in force, after those that are.
func (s *Server) AddFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Effect == Listing {
		f.Shape = orElse(f.Shape, defaultShape)
	}
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	clear(s.listings)
}

// Faults returns the faults in force, as they are said in words.
func (s *Server) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []string{}
	for _, f := range s.faults {
		all = append(all, f.String())
	}
	return all
}

// withFaults handles a request under the fault that applies to it, if any. The lock is held.
func (s *Server) withFaults(req *request, h handler) answer {
	f := s.fault(req)
	s.begin(req, f)
	if f == nil {
		return h(req)
	}
	target := s.target(f, req)
	touch := func(edit func(*User)) {
		if target != nil {
			s.dir.change(target, time.Now(), edit)
		}
	}
	switch f.Effect {
	case Status:
		return f.refusal()
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
		if g := s.stores[Group].live(req.PathValue("group")); g != nil && req.Method != http.MethodGet {
			g.version++
			return *conflictVersion(status, g.version-1, g.version)
		}
	case Spurious:
		return *conflictVersion(http.StatusConflict, 0, 0)
	case Edited:
		touch(func(u *User) { u.Title = "Edited by hand" })
	case Expired:
		value, _ := bearer(req.Request)
		delete(s.tokens, value)
		return badCredentials()
	case Revoked:
		clear(s.tokens)
		return badCredentials()
	}
	a := h(req)
	switch f.Effect {
	case Lost:
		a.cut = nothing
	case Truncated:
		a.cut = half
	case Slow:
		a.delay = f.Delay
	case Listing:
		return s.listings[listingOf(req)].distort(req, a)
	case Done:
		return refuse(f.Code, faultCode(f.Code), "A gateway of the simulator lost patience.")
	}
	return a
}

// fault finds the first fault that applies, and counts it. That of a listing holds for all its pages.
func (s *Server) fault(req *request) *Fault {
	if odd := s.listings[listingOf(req)]; odd != nil && !begins(req) {
		return odd.fault
	}
	for _, f := range s.faults {
		if !f.matches(req, s.target(f, req)) || f.Effect == Listing && !begins(req) {
			continue
		}
		f.met++
		if f.met <= f.After || f.Every > 0 && (f.met-f.After)%f.Every != 0 || f.Share > 0 && s.rand.Float64() >= f.Share {
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

// target is the user that a request is about: the one of its path or, of a request about many, the one
// that the fault names, if it is among them.
func (s *Server) target(f *Fault, req *request) *record {
	if r := s.dir.byID[req.PathValue("id")]; r != nil || f.User == "" {
		return r
	}
	r := s.dir.byID[f.User]
	if r == nil {
		r = s.dir.byEmail[strings.ToLower(f.User)]
	}
	if r != nil && (bytes.Contains(req.body, []byte(strconv.Quote(r.ID))) || slices.Contains(list(req, "ids"), r.ID)) {
		return r
	}
	return nil
}

// matches reports whether a fault is about such a request; target is the user that it is about, if any.
func (f *Fault) matches(req *request, target *record) bool {
	if f.Method != "" && f.Method != "*" && f.Method != req.Method {
		return false
	}
	if f.Effect == Listing && req.Method != http.MethodGet {
		return false
	}
	path := f.Path
	if (path == "" || path == "*") && f.Effect == Listing {
		path = defaultListing
	}
	prefix, open := strings.CutSuffix(path, "*")
	if rest, ok := strings.CutPrefix(req.URL.Path, prefix); prefix != "" && (!ok || rest != "" && !open) {
		return false
	}
	switch {
	case f.User == "":
		return true
	case target != nil:
		return strings.EqualFold(f.User, target.Email) || f.User == target.ID
	}
	var body struct {
		Email string `json:"email"`
	}
	_ = json.Unmarshal(req.body, &body) // most bodies have none
	return strings.EqualFold(f.User, body.Email)
}

// refusal is the answer of Status.
func (f *Fault) refusal() answer {
	var a answer
	switch f.Code {
	case http.StatusUnauthorized:
		a = badCredentials()
	case http.StatusNotFound:
		a = notFound()
	case http.StatusTooManyRequests:
		a = refuse(f.Code, "too.many.requests.retry.after", "Rate limit exceeded the maximum. Retry the request in [%s] seconds", f.RetryAfter)
	default:
		a = refuse(f.Code, faultCode(f.Code), "A fault of the simulator.")
	}
	if f.APICode != "" {
		a = refuse(f.Code, f.APICode, "A fault of the simulator.")
	}
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	if n, dated := strings.CutPrefix(f.RetryAfter, "date:"); dated {
		seconds, _ := strconv.Atoi(n) // ParseFault has seen to it
		now := time.Now().UTC()
		a.header.Set("Date", now.Format(http.TimeFormat))
		a.header.Set("Retry-After", now.Add(time.Duration(seconds)*time.Second).Format(http.TimeFormat))
	}
	return a
}

func faultCode(status int) string {
	codes := map[int]string{
		400: "bad.request", 403: "missing.any.permissions", 408: "client.timeout", 409: "general.conflict",
		500: "internal.server.error", 503: "service.unavailable", 504: "request.timeout",
	}
	return orElse(codes[status], "client.failed.request")
}
