package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// operatorPath is where whoever runs the server is answered: no token, no quota, no faults.
const operatorPath = "/_sim/"

// operatorHelp is the answer to any other path under it.
const operatorHelp = `GET    /_sim/ledger   what was asked for
DELETE /_sim/ledger   begin a new one
GET    /_sim/users    everything stored
POST   /_sim/edit     {"email": "...", "title": "..."}: somebody edits a user by hand, any field of a PATCH
POST   /_sim/limit    60: the quota from now on; token=2 60: of the second token given out
POST   /_sim/consume  100: requests of another program with the same tokens
POST   /_sim/revoke   every token
GET    /_sim/fault    the faults in force
POST   /_sim/fault    PATCH 10% lost
DELETE /_sim/fault    end all faults
`

func (s *Server) operate() {
	on := func(pattern string, h func(body string) (reply any, status int)) {
		method, name, _ := strings.Cut(pattern, " ")
		s.mux.HandleFunc(method+" "+operatorPath+name, func(w http.ResponseWriter, r *http.Request) {
			data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			reply, status := h(strings.TrimSpace(string(data)))
			if text, ok := reply.(string); ok && status >= 400 {
				http.Error(w, text, status)
				return
			}
			if reply == nil {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(reply) // the client may be gone
		})
	}
	done := func() (any, int) { return nil, http.StatusOK }
	on("GET ledger", func(string) (any, int) { return s.Ledger(), http.StatusOK })
	on("DELETE ledger", func(string) (any, int) { s.ResetLedger(); return done() })
	on("GET users", func(string) (any, int) { return s.Users(), http.StatusOK })
	on("POST edit", s.edit)
	on("POST limit", func(body string) (any, int) {
		first, rest, _ := strings.Cut(body, " ")
		name, one := strings.CutPrefix(first, "token=")
		if !one {
			name, rest = "1", body
		}
		token, wrong := positive(name)
		limit, err := positive(rest)
		switch {
		case err != nil || wrong != nil:
			return "the limit is a positive number, or token=N and one", http.StatusBadRequest
		case one:
			s.SetTokenLimit(token, limit)
		default:
			s.SetLimit(limit)
		}
		return done()
	})
	on("POST consume", func(body string) (any, int) {
		n, err := positive(body)
		if err != nil || n > 1_000_000 {
			return "a number of requests, up to a million", http.StatusBadRequest
		}
		s.Consume(n)
		return done()
	})
	on("POST revoke", func(string) (any, int) { s.Revoke(); return done() })
	on("GET fault", func(string) (any, int) { return s.Faults(), http.StatusOK })
	on("POST fault", func(body string) (any, int) {
		f, err := ParseFault(body)
		if err != nil {
			return err.Error(), http.StatusBadRequest
		}
		s.AddFault(f)
		return done()
	})
	on("DELETE fault", func(string) (any, int) { s.ClearFaults(); return done() })
	s.mux.HandleFunc(operatorPath, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, operatorHelp, http.StatusNotFound) })
}

// edit changes a user by hand; it may be no less right than what the API takes.
func (s *Server) edit(body string) (any, int) {
	var edit struct {
		Email string `json:"email"` // says who, and cannot be changed here
		update
	}
	if bad := s.decode(&request{body: []byte(body)}, &edit); bad != nil {
		return bad.message(), http.StatusBadRequest
	}
	edit.sent = []byte(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.dir.byEmail[strings.ToLower(edit.Email)]
	if r == nil {
		return "no such user", http.StatusNotFound
	}
	state := edit.State
	edit.State = nil // by hand it need not be alone
	bad := s.check(r, &edit.update)
	if state != nil && bad == nil {
		bad = validState(*state)
	}
	if bad != nil {
		return bad.message(), http.StatusBadRequest
	}
	edit.State = state
	s.byHand(r, edit.apply)
	return nil, http.StatusOK
}
