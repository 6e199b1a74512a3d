package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// operate adds the paths for whoever runs the server: no token, no quota, no faults.
//
//	GET    /_sim/ledger   what was asked for
//	DELETE /_sim/ledger   begin a new one
//	GET    /_sim/users    everything stored
//	POST   /_sim/edit     {"email": "...", "title": "..."}: somebody edits a user by hand
//	POST   /_sim/limit    60: the quota from now on
//	POST   /_sim/fault    PATCH 10% lost
//	DELETE /_sim/fault    end all faults
func (s *Server) operate() {
	text := func(w http.ResponseWriter, r *http.Request) (string, bool) {
		data, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		return strings.TrimSpace(string(data)), err == nil
	}
	s.mux.HandleFunc("GET /_sim/ledger", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Ledger()) })
	s.mux.HandleFunc("DELETE /_sim/ledger", func(http.ResponseWriter, *http.Request) { s.ResetLedger() })
	s.mux.HandleFunc("GET /_sim/users", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Users()) })
	s.mux.HandleFunc("POST /_sim/edit", func(w http.ResponseWriter, r *http.Request) {
		var edit struct {
			Email      string  `json:"email"`
			Title      *string `json:"title"`
			Department *string `json:"department"`
			State      *string `json:"state"`
		}
		d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&edit); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		up := update{Title: edit.Title, Department: edit.Department, State: edit.State}
		if !s.Edit(edit.Email, up.apply) {
			http.Error(w, "no such user", http.StatusNotFound)
		}
	})
	s.mux.HandleFunc("POST /_sim/limit", func(w http.ResponseWriter, r *http.Request) {
		var limit int
		if body, ok := text(w, r); !ok {
			return
		} else if _, err := fmt.Sscan(body, &limit); err != nil || limit < 1 {
			http.Error(w, "the limit is a positive number", http.StatusBadRequest)
			return
		}
		s.SetLimit(limit)
	})
	s.mux.HandleFunc("POST /_sim/fault", func(w http.ResponseWriter, r *http.Request) {
		body, ok := text(w, r)
		if !ok {
			return
		}
		f, err := ParseFault(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.AddFault(f)
	})
	s.mux.HandleFunc("DELETE /_sim/fault", func(http.ResponseWriter, *http.Request) { s.ClearFaults() })
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
