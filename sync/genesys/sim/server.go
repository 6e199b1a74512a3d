package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxBody is the documented limit request.bytes.max.
const maxBody = 512_000

// Options describe the organization and how its API behaves. The zero value is a small, healthy
// organization with the documented defaults.
type Options struct {
	Users    int    // made up from Seed
	Inactive int    // how many of them are inactive
	Deleted  int    // further users that were deleted
	Seed     uint64 // of people and of chance

	ClientID, ClientSecret string        // demo, demo
	TokenLife              time.Duration // 24 h
	BadClientStatus        int           // of a token request with wrong credentials: 400 or 401; 400
	MintLimit              int           // tokens a minute and client; 0: no limit
	MintLimitStatus        int           // 429, or 400 as the vendor's provider has met; 429
	Forbid                 string        // a permission that the client lacks, such as directory:user:edit

	Quota    Quota
	Latency  time.Duration // median of an answer's time
	Jitter   time.Duration // added at random, up to
	IndexLag time.Duration // of the search; 3 s, negative: none
	ReadLag  time.Duration // a listing shows users as they were so long ago

	CreatedStatus      int  // of POST /users: 200 or 201; 200
	RejectMixedState   bool // a PATCH with state and other fields is 400; otherwise the others are ignored
	AllowUnknownFields bool // a body may have fields that the API does not know
	DropExpands        int  // every n-th user of a listing lacks an expanded field; 0: none
	OrgID              string
}

func (o Options) withDefaults() Options {
	if o.ClientID == "" {
		o.ClientID, o.ClientSecret = "demo", "demo"
	}
	if o.TokenLife == 0 {
		o.TokenLife = 24 * time.Hour
	}
	if o.BadClientStatus == 0 {
		o.BadClientStatus = http.StatusBadRequest
	}
	if o.MintLimitStatus == 0 {
		o.MintLimitStatus = http.StatusTooManyRequests
	}
	if o.IndexLag == 0 {
		o.IndexLag = 3 * time.Second
	}
	if o.CreatedStatus == 0 {
		o.CreatedStatus = http.StatusOK
	}
	if o.OrgID == "" {
		o.OrgID = "0a1b2c3d-0000-4000-8000-000000000001"
	}
	o.Quota = o.Quota.withDefaults()
	return o
}

// Server is a simulated Genesys Cloud. It is safe for concurrent use.
type Server struct {
	o   Options
	mux *http.ServeMux

	mu     sync.Mutex // everything below
	rand   *rand.Rand
	tokens map[string]*token
	mints  []time.Time
	dir    directory
	faults []*Fault
	ledger Ledger
	serial int
}

// New makes a server with its users in place.
func New(o Options) *Server {
	s := &Server{o: o.withDefaults(), tokens: map[string]*token{}, dir: newDirectory()}
	s.rand = rand.New(rand.NewPCG(s.o.Seed, 1))
	s.ledger.reset()
	s.seed()
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("/oauth/token", s.serveToken)
	s.route("GET /api/v2/organizations/me", s.getOrganization)
	s.route("GET /api/v2/users", s.listUsers)
	s.route("POST /api/v2/users", s.createUser)
	s.route("GET /api/v2/users/{id}", s.getUser)
	s.route("PATCH /api/v2/users/{id}", s.patchUser)
	s.route("DELETE /api/v2/users/{id}", s.deleteUser)
	s.route("PATCH /api/v2/users/bulk", s.patchBulk)
	s.route("POST /api/v2/users/search", s.searchUsers)
	s.mux.HandleFunc("/api/v2/users/{id}", s.wrongMethod)
	s.mux.HandleFunc("/", s.unreal)
	s.operate()
	return s
}

// A request is one call of the API on its way through the server.
type request struct {
	*http.Request
	body []byte
	id   string // correlation id
	name string // "PATCH /api/v2/users/{id}"
}

// An answer is what the API says to it: a status and a JSON body, or a refusal.
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

type handler func(*request) answer

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api/v2/users/get", "/api/v2/users/bulkupdate":
		s.unreal(w, r) // tutorials name them, the API does not have them, and they are no users' ids
	default:
		s.mux.ServeHTTP(w, r)
	}
}

func (s *Server) route(pattern string, h handler) {
	_, path, _ := strings.Cut(pattern, " ")
	method, _, _ := strings.Cut(pattern, " ")
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, method+" "+path, h) })
}

// serve takes a request through what every call meets: token, quota, faults, the handler itself.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, name string, h handler) {
	req := &request{Request: r, id: s.correlation(), name: name}
	w.Header().Set("ININ-Correlation-Id", req.id)
	if !s.wait(r) {
		return
	}
	var a answer
	if body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
		return // the client went away
	} else if req.body = body; len(body) > maxBody {
		a = refuse(http.StatusRequestEntityTooLarge, "request.entity.too.large", "The request is over the size limit. Maximum bytes: %d", maxBody)
	} else {
		a = s.admit(req, w.Header(), h)
	}
	s.write(w, req, a)
}

// admit checks token, quota and faults, and calls the handler.
func (s *Server) admit(req *request, header http.Header, h handler) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	tok, refusal := s.authorize(req.Request)
	if refusal != nil {
		return *refusal
	}
	if refusal := tok.count(s, time.Now(), header); refusal != nil {
		s.ledger.Throttled++
		return *refusal
	}
	if len(req.body) > 0 || req.Method == http.MethodPost || req.Method == http.MethodPatch || req.Method == http.MethodPut {
		if media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); media != "application/json" {
			return refuse(http.StatusUnsupportedMediaType, "unsupported.media.type", "Content-Type must be application/json")
		}
	}
	return s.withFaults(req, h)
}

// write sends an answer, unless a fault says that the connection breaks.
func (s *Server) write(w http.ResponseWriter, req *request, a answer) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	if e, ok := a.body.(*errorBody); ok {
		e.ContextID = req.id
	}
	s.mu.Lock()
	s.ledger.record(req.name, a.status)
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
	data, err := json.Marshal(a.body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.WriteHeader(a.status)
	if a.cut == half {
		_, _ = w.Write(data[:len(data)/2])
		_ = http.NewResponseController(w).Flush() // a recorder need not
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(data)
}

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

func notFound() answer {
	return refuse(http.StatusNotFound, "not.found", "The requested resource was not found.")
}

// unreal answers what the API does not have, and remembers that somebody asked.
func (s *Server) unreal(w http.ResponseWriter, r *http.Request) {
	s.refuseUnreal(w, r, notFound())
}

// wrongMethod answers a method that the path does not have, such as PUT /api/v2/users/{id}.
func (s *Server) wrongMethod(w http.ResponseWriter, r *http.Request) {
	s.refuseUnreal(w, r, refuse(http.StatusMethodNotAllowed, "method.not.allowed", "HTTP method %s is not allowed for this resource.", r.Method))
}

func (s *Server) refuseUnreal(w http.ResponseWriter, r *http.Request, a answer) {
	req := &request{Request: r, id: s.correlation(), name: r.Method + " " + r.URL.Path}
	w.Header().Set("ININ-Correlation-Id", req.id)
	s.mu.Lock()
	s.ledger.Unreal = append(s.ledger.Unreal, req.name)
	s.mu.Unlock()
	s.write(w, req, a)
}

// correlation makes the id that every answer carries.
func (s *Server) correlation() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newID()
}

// newID makes a version 4 UUID from the seeded source. The lock is held.
func (s *Server) newID() string {
	a, b := s.rand.Uint64(), s.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// wait is the time that an answer takes; false if the client did not wait for it.
func (s *Server) wait(r *http.Request) bool {
	s.mu.Lock()
	d := s.o.Latency
	if s.o.Jitter > 0 {
		d += time.Duration(s.rand.Int64N(int64(s.o.Jitter)))
	}
	s.mu.Unlock()
	return pause(r, d)
}

func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// decode reads a JSON body into v; unknown fields are refused unless an option says otherwise.
func (s *Server) decode(req *request, v any) *answer {
	d := json.NewDecoder(strings.NewReader(string(req.body)))
	if !s.o.AllowUnknownFields {
		d.DisallowUnknownFields()
	}
	err := d.Decode(v)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("text after the end")
		}
	}
	if err != nil {
		a := refuse(http.StatusBadRequest, "bad.request", "The request could not be understood by the server due to malformed syntax: %v", err)
		return &a
	}
	return nil
}
