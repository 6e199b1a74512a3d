package sim

import (
	"net/mail"
	"strings"
	"time"
)

// creation is CreateUser.
type creation struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	State string `json:"state"`
	Texts
	DivisionID string        `json:"divisionId"`
	Password   string        `json:"password"` // write-only
	Addresses  []wireContact `json:"addresses"`
}

// homeDivision is where a user is put who is not given a division.
const homeDivision = "d0000000-0000-4000-8000-000000000001"

// conflictText is what the API's description says of general.conflict.
const conflictText = "The request could not be completed by the server due to a conflict."

// conflict is the answer for an address that is taken, by a deleted user as well.
func conflict(status int) *answer {
	a := refuse(status, "general.conflict", "%s", conflictText)
	return &a
}

// taken reports whether a new user cannot have an address.
func (s *Server) taken(email string) bool {
	r := s.dir.byEmail[strings.ToLower(email)]
	return r != nil && (r.State != "deleted" || !s.o.DeletedFree)
}

func validEmail(s string) *answer {
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s || !strings.Contains(s, ".") {
		return invalid("email [%s] is not valid", s)
	}
	return nil
}

func notAllowed(value, field string, allowed ...string) *answer {
	return invalid("Value [%s] is not valid for field type [%s]. Allowable values are: %s", value, field, strings.Join(allowed, ", "))
}

func (s *Server) createUser(req *request) answer {
	if a := s.permitted("directory:user:add"); a != nil {
		return *a
	}
	var c creation
	if bad := s.decode(req, &c); bad != nil {
		return *bad
	}
	if name := c.notPosted(); name != "" && !s.o.AllowUnknownFields {
		return *invalid("Unrecognized field [%s]", name)
	}
	s.ledger.Creates[strings.ToLower(c.Email)]++
	if c.Name == "" {
		return *invalid("name is required")
	}
	if bad := validEmail(c.Email); bad != nil {
		return *bad
	}
	switch {
	case c.State != "" && c.State != "active" && c.State != "inactive":
		return *notAllowed(c.State, "state", "active", "inactive")
	case c.DivisionID != "" && s.stores[Division].live(c.DivisionID) == nil:
		return *invalid("division [%s] does not exist", c.DivisionID)
	case s.taken(c.Email):
		return *conflict(s.o.TakenStatus)
	}
	contacts, bad := parseContacts(c.Addresses)
	if bad != nil {
		return *bad
	}
	r := s.dir.add(User{
		ID: s.newID(), Name: c.Name, Email: c.Email, Texts: c.Texts,
		State:    orElse(c.State, "inactive"), // no invitation is sent
		Division: orElse(c.DivisionID, homeDivision), Contacts: contacts, Version: 1, Writes: 1,
	})
	if !s.o.NoDefaultRole {
		r.Grants = []Grant{{employeeRole, homeDivision}}
	}
	if c.Password != "" {
		r.password = time.Now()
	}
	s.dir.remember(r, nil, time.Now())
	return answer{status: s.o.CreatedStatus, body: s.wire(&r.User, nil)}
}
