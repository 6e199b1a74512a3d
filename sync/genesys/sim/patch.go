package sim

import (
	"encoding/json"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// creation is CreateUser.
type creation struct {
	Name       string        `json:"name"`
	Email      string        `json:"email"`
	State      string        `json:"state"`
	Title      string        `json:"title"`
	Department string        `json:"department"`
	DivisionID string        `json:"divisionId"`
	Password   string        `json:"password"`
	Addresses  []wireContact `json:"addresses"`
}

// update is UpdateUser. What is nil was not in the body.
type update struct {
	Version        *int           `json:"version"`
	State          *string        `json:"state"`
	Name           *string        `json:"name"`
	Email          *string        `json:"email"`
	Username       *string        `json:"username"`
	Title          *string        `json:"title"`
	Department     *string        `json:"department"`
	PreferredName  *string        `json:"preferredName"`
	Manager        *string        `json:"manager"`
	ACDAutoAnswer  *bool          `json:"acdAutoAnswer"`
	Certifications *[]string      `json:"certifications"`
	EmployerInfo   *Employer      `json:"employerInfo"`
	Addresses      *[]wireContact `json:"addresses"`
	DivisionID     *string        `json:"divisionId"` // known, and ignored
}

// homeDivision is where a user is put who is not given a division.
const homeDivision = "d0000000-0000-4000-8000-000000000001"

func invalid(format string, args ...any) *answer {
	a := refuse(http.StatusBadRequest, "bad.request", format, args...)
	return &a
}

// conflict is the answer for an address that is taken, by a deleted user as well.
func conflict() *answer {
	a := refuse(http.StatusConflict, "general.conflict", "The request conflicts with the current state of the target resource.")
	return &a
}

func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && strings.Contains(s, ".")
}

func (s *Server) createUser(req *request) answer {
	if a := s.permitted("directory:user:add"); a != nil {
		return *a
	}
	var c creation
	if bad := s.decode(req, &c); bad != nil {
		return *bad
	}
	s.ledger.Creates[strings.ToLower(c.Email)]++
	switch {
	case c.Name == "":
		return *invalid("name is required")
	case !validEmail(c.Email):
		return *invalid("email [%s] is not valid", c.Email)
	case c.State != "" && c.State != "active" && c.State != "inactive":
		return *invalid("Value [%s] is not valid for field type [state]. Allowable values are: active, inactive", c.State)
	case s.dir.byEmail[strings.ToLower(c.Email)] != nil:
		return *conflict()
	}
	contacts, bad := parseContacts(c.Addresses)
	if bad != nil {
		return *bad
	}
	u := User{ID: s.newID(), Name: c.Name, Email: c.Email, State: c.State, Title: c.Title, Department: c.Department,
		Division: c.DivisionID, Contacts: contacts, Version: 1, Writes: 1}
	if u.State == "" {
		u.State = "inactive" // no invitation is sent
	}
	if u.Division == "" {
		u.Division = homeDivision
	}
	r := s.dir.add(u, time.Now())
	return answer{status: s.o.CreatedStatus, body: r.wire(nil)}
}

func (s *Server) patchUser(req *request) answer {
	if a := s.permitted("directory:user:edit"); a != nil {
		return *a
	}
	var up update
	if bad := s.decode(req, &up); bad != nil {
		return *bad
	}
	r := s.dir.byID[req.PathValue("id")]
	if r == nil {
		return notFound()
	}
	if r.State == "deleted" && up.State == nil {
		return notFound()
	}
	if up.Version == nil {
		return *invalid("version is required")
	}
	if *up.Version != r.Version {
		return *s.mismatch(*up.Version, r.Version)
	}
	if bad := s.check(r, &up); bad != nil {
		return *bad
	}
	s.dir.change(r, time.Now(), func(u *User) { up.apply(u) })
	r.Writes++
	return answer{status: http.StatusOK, body: r.wire(nil)}
}

// mismatch says that the version is not the current one, in one of its two forms by turns.
func (s *Server) mismatch(sent, current int) *answer {
	if s.serial++; s.serial%2 == 0 {
		return conflictVersion(http.StatusConflict, sent, current)
	}
	return conflictVersion(http.StatusBadRequest, sent, current)
}

func conflictVersion(status, sent, current int) *answer {
	a := refuse(status, "bad.request", "The version %d does not match the current version %d.", sent, current)
	if status == http.StatusConflict {
		a = refuse(status, "general.conflict", "The version number of the modified resource must match the version number in the database.")
	}
	return &a
}

// check refuses what the API would. It leaves in up what is to be applied.
func (s *Server) check(r *record, up *update) *answer {
	if up.State != nil {
		if !slices.Contains([]string{"active", "inactive", "deleted"}, *up.State) {
			return invalid("Value [%s] is not valid for field type [state]. Allowable values are: active, inactive, deleted", *up.State)
		}
		alone := update{Version: up.Version, State: up.State}
		if a, b := mustJSON(alone), mustJSON(up); a != b {
			if s.o.RejectMixedState {
				return invalid("state must be the only field that is modified")
			}
			*up = alone
		}
		return nil
	}
	if up.Name != nil && *up.Name == "" {
		return invalid("name cannot be empty")
	}
	if up.Email != nil {
		if !validEmail(*up.Email) {
			return invalid("email [%s] is not valid", *up.Email)
		}
		if other := s.dir.byEmail[strings.ToLower(*up.Email)]; other != nil && other != r {
			return conflict()
		}
	}
	if up.Manager != nil && *up.Manager != "" {
		if m := s.dir.byID[*up.Manager]; m == nil || m.State == "deleted" {
			return invalid("manager [%s] is not a user", *up.Manager)
		}
	}
	if e := up.EmployerInfo; e != nil && e.EmployeeType != "" && !slices.Contains([]string{"Full-time", "Part-time", "Contractor"}, e.EmployeeType) {
		return invalid("Value [%s] is not valid for field type [employeeType]. Allowable values are: Full-time, Part-time, Contractor", e.EmployeeType)
	}
	if e := up.EmployerInfo; e != nil && e.DateHire != "" {
		if _, err := time.Parse(time.DateOnly, e.DateHire); err != nil {
			a := refuse(http.StatusBadRequest, "invalid.date", "dateHire [%s] is not a date", e.DateHire)
			return &a
		}
	}
	if up.Addresses != nil {
		if _, bad := parseContacts(*up.Addresses); bad != nil {
			return bad
		}
	}
	return nil
}

// mustJSON is the text of what has nothing that cannot be one.
func mustJSON(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}

// apply changes what is named; lists are replaced whole.
func (up *update) apply(u *User) {
	set := func(to, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&u.State, up.State)
	set(&u.Name, up.Name)
	set(&u.Email, up.Email)
	set(&u.Title, up.Title)
	set(&u.Department, up.Department)
	set(&u.PreferredName, up.PreferredName)
	set(&u.Manager, up.Manager)
	if up.ACDAutoAnswer != nil {
		u.ACDAutoAnswer = *up.ACDAutoAnswer
	}
	if up.Certifications != nil {
		u.Certifications = slices.Clone(*up.Certifications)
	}
	if up.EmployerInfo != nil {
		u.Employer = *up.EmployerInfo
	}
	if up.Addresses != nil {
		u.Contacts, _ = parseContacts(*up.Addresses) // checked before
	}
}

// patchBulk is PATCH /users/bulk: nothing but acdAutoAnswer, of 50 users at the most.
func (s *Server) patchBulk(req *request) answer {
	if a := s.permitted("directory:user:edit"); a != nil {
		return *a
	}
	var items []struct {
		ID            string `json:"id"`
		ACDAutoAnswer *bool  `json:"acdAutoAnswer"`
	}
	if bad := s.decode(req, &items); bad != nil {
		return *bad
	}
	if len(items) > 50 {
		return *invalid("Max 50 users can be updated at a time.")
	}
	p := page{Entities: []wireUser{}}
	for _, item := range items {
		r := s.dir.byID[item.ID]
		if r == nil || r.State == "deleted" || item.ACDAutoAnswer == nil {
			return *invalid("user [%s] cannot be updated", item.ID)
		}
	}
	for _, item := range items {
		r := s.dir.byID[item.ID]
		s.dir.change(r, time.Now(), func(u *User) { u.ACDAutoAnswer = *item.ACDAutoAnswer })
		r.Writes++
		p.Entities = append(p.Entities, r.wire(nil))
	}
	return answer{status: http.StatusOK, body: p}
}
