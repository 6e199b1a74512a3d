package sim

import (
	"net/http"
	"time"
)

// setPassword is POST /users/{id}/password. Nothing tells the password again. How soon it may be changed
// once more is a setting of the organization; the refusal's words are those by which the vendor's
// Terraform provider waits.
func (s *Server) setPassword(req *request) answer {
	if a := s.permitted("directory:user:setPassword"); a != nil {
		return *a
	}
	var body struct {
		NewPassword string `json:"newPassword"`
	}
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	if body.NewPassword == "" {
		return *invalid("newPassword is required")
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	now := time.Now()
	if until := r.password.Add(s.o.PasswordAge); !r.password.IsZero() && now.Before(until) {
		return refuse(http.StatusBadRequest, "bad.request", "The password cannot be changed until %s", until.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	r.password = now
	r.Writes++
	return noContent
}
