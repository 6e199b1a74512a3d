package sim

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// maxBody is the documented limit request.bytes.max.
const maxBody = 512_000

// Server is a simulated Genesys Cloud. It is safe for concurrent use.
type Server struct {
	mux *http.ServeMux
	o   Options // Quota is under mu

	mu     sync.Mutex // everything below
	rand   *rand.Rand
	tokens map[string]*token
	minted int         // tokens ever
	mints  []time.Time // of the last minute
	client account     // of Quota.PerClient
	layer  counter     // of Quota.HiddenPerClient
	dir    directory

	stores      map[Kind]*store
	waiting     []deferred                // in the order in which they are due
	memberLists map[string]cached[member] // of queues and groups
	grantLists  map[string]cached[held]   // of divisions
	holderLists map[string]cached[string] // of roles

	faults   []*Fault
	listings map[string]*oddListing // by what is listed: those that are read under a fault
	ledger   Ledger
	serial   int // of version mismatches
	standard Utilization
}

// New makes a server with its users in place.
func New(o Options) *Server {
	o = o.withDefaults()
	o.Quota.Tokens = maps.Clone(o.Quota.Tokens) // SetTokenLimit writes to it
	s := &Server{o: o, tokens: map[string]*token{}, dir: newDirectory(max(o.IndexLag, o.ReadLag, o.GrantLag)), stores: newStores(),
		memberLists: map[string]cached[member]{}, grantLists: map[string]cached[held]{}, holderLists: map[string]cached[string]{}, listings: map[string]*oddListing{}, standard: standardUtilization()}
	s.rand = rand.New(rand.NewPCG(o.Seed, 1))
	s.ledger.reset()
	s.seedCatalog()
	s.seed()
	s.seedClient()
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("/oauth/token", s.serveToken)
	s.routes()
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

type handler func(*request) answer

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, operatorPath) {
		s.mux.ServeHTTP(w, r)
		return
	}
	w.Header().Set("ININ-Correlation-Id", s.correlation())
	switch p := r.URL.Path; {
	case p == "/api/v2/users/get", p == "/api/v2/users/bulkupdate", // tutorials name them, the API does not have them
		p == "/api/v2/users/me",                                   // not for client credentials, says the API's description
		p == "/api/v2/users/search" && r.Method == http.MethodGet, // the API has it, this server does not
		p != path.Clean(p):                                        // the mux would redirect
		s.unreal(w, r)
	default:
		s.mux.ServeHTTP(w, r)
	}
}

func (s *Server) route(name string, h handler) {
	s.mux.HandleFunc(name, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, name, h) })
}

// serve takes a request through what every call meets: token, quota, faults, the handler itself.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, name string, h handler) {
	if !pause(r, s.o.Latency) {
		return
	}
	req := &request{Request: r, id: w.Header().Get("ININ-Correlation-Id"), name: name}
	var a answer
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch req.body = body; {
	case err != nil:
		a = *invalid("The body cannot be read: %v", err)
	case len(body) > maxBody:
		a = refuse(http.StatusRequestEntityTooLarge, "request.entity.too.large", "The request is over the size limit. Maximum bytes: %d", maxBody)
	default:
		a = s.admit(req, w.Header(), h)
	}
	s.write(w, req, a)
}

// admit checks token and quota, and lets the handler answer.
func (s *Server) admit(req *request, header http.Header, h handler) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	tok, refusal := s.authorize(req.Request)
	if refusal != nil {
		return *refusal
	}
	quota, refusal := s.spend(tok, req.name, time.Now())
	if refusal != nil {
		s.ledger.Throttled++
		return *refusal
	}
	a := s.withFaults(req, func(req *request) answer {
		hasBody := req.Method != http.MethodGet && req.Method != http.MethodDelete && req.name != grantRoute
		if hasBody || len(req.body) > 0 {
			if media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); media != "application/json" {
				return refuse(http.StatusUnsupportedMediaType, "unsupported.media.type", "Content-Type must be application/json")
			}
		}
		return s.fits(req, h(req))
	})
	if a.status != http.StatusTooManyRequests { // such an answer never tells the quota
		maps.Copy(header, quota)
	}
	return a
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
	req := &request{Request: r, id: w.Header().Get("ININ-Correlation-Id"), name: r.Method + " " + r.URL.Path}
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

// pause waits, and reports whether the client waited, too.
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
