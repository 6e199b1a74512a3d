package sim

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// update is UpdateUser. What is nil was not in the body.
type update struct {
	Version        *int           `json:"version"`
	State          *string        `json:"state"`
	Name           *string        `json:"name"`
	Email          *string        `json:"email"`
	Username       *string        `json:"username"`
	Texts                         // those in sent
	Manager        *string        `json:"manager"`
	ACDAutoAnswer  *bool          `json:"acdAutoAnswer"`
	Certifications *[]string      `json:"certifications"`
	EmployerInfo   *wireEmployer  `json:"employerInfo"`
	Addresses      *[]wireContact `json:"addresses"`
	Biography      *biography     `json:"biography"`
	ProfileSkills  *[]string      `json:"profileSkills"`
	Locations      *[]placement   `json:"locations"`

	sent []byte // the body

	// Known, and ignored here.
	DivisionID *string `json:"divisionId"`
	Groups     any     `json:"groups"`
	Images     any     `json:"images"`
	Chat       any     `json:"chat"`
}

// biography is the API's Biography, of which the text is stored.
type biography struct {
	Biography string   `json:"biography"`
	Interests []string `json:"interests"`
	Hobbies   []string `json:"hobbies"`
	Spouse    string   `json:"spouse"`
	Education any      `json:"education"`
}

func (s *Server) patchUser(req *request) answer {
	if a := s.permitted("directory:user:edit"); a != nil {
		return *a
	}
	var up update
	if bad := s.decode(req, &up); bad != nil {
		return *bad
	}
	up.sent = req.body
	r, bad := s.find(req)
	if bad != nil {
		return *bad
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
	s.change(r, up.apply)
	return answer{status: http.StatusOK, body: s.wire(&r.User, nil)}
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
		if bad := validState(*up.State); bad != nil {
			return bad
		}
		if other := s.dir.byEmail[strings.ToLower(r.Email)]; other != r && *up.State != "deleted" {
			return conflict(s.o.TakenStatus) // it was deleted, and a further user has the address
		}
		var members map[string]json.RawMessage
		_ = json.Unmarshal(up.sent, &members) // it was decoded before
		if len(members) > 2 && s.o.RejectMixedState {
			return invalid("state must be the only field that is modified")
		}
		*up = update{Version: up.Version, State: up.State}
		return nil
	}
	if up.Name != nil && *up.Name == "" {
		return invalid("name cannot be empty")
	}
	if up.Email != nil {
		if bad := validEmail(*up.Email); bad != nil {
			return bad
		}
		if other := s.dir.byEmail[strings.ToLower(*up.Email)]; other != nil && other != r {
			return conflict(http.StatusConflict)
		}
	}
	if up.Manager != nil && *up.Manager != "" {
		if m := s.dir.byID[*up.Manager]; m == nil || m.State == "deleted" {
			return invalid("manager [%s] is not a user", *up.Manager)
		}
	}
	if up.EmployerInfo != nil {
		if bad := up.EmployerInfo.check(); bad != nil {
			return bad
		}
	}
	if up.Addresses != nil {
		if _, bad := parseContacts(*up.Addresses); bad != nil {
			return bad
		}
	}
	if up.Locations != nil {
		return s.checkPlaces(*up.Locations)
	}
	return nil
}

// wireEmployer is EmployerInfo as it is sent. It replaces what is stored; what is nil was not in it, and "" is neither a type nor a
// date.
type wireEmployer struct {
	OfficialName *string `json:"officialName"`
	EmployeeID   *string `json:"employeeId"`
	EmployeeType *string `json:"employeeType"`
	DateHire     *string `json:"dateHire"`
	AddedLater   *string `json:"addedLater"`
}

func (e *wireEmployer) check() *answer {
	kinds := []string{"Full-time", "Part-time", "Contractor"}
	if e.EmployeeType != nil && !slices.Contains(kinds, *e.EmployeeType) {
		return notAllowed(*e.EmployeeType, "employeeType", kinds...)
	}
	if e.DateHire != nil {
		if _, err := time.Parse(time.DateOnly, *e.DateHire); err != nil {
			a := refuse(http.StatusBadRequest, "invalid.date", "dateHire [%s] is not a date", *e.DateHire)
			return &a
		}
	}
	return nil
}

// stored is what it makes of the user.
func (e *wireEmployer) stored() Employer {
	text := func(s *string) string { return *cmp.Or(s, new("")) }
	return Employer{text(e.OfficialName), text(e.EmployeeID), text(e.EmployeeType), text(e.DateHire), text(e.AddedLater)}
}

func validState(v string) *answer {
	if states := []string{"active", "inactive", "deleted"}; !slices.Contains(states, v) {
		return notAllowed(v, "state", states...)
	}
	return nil
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
	set(&u.Username, up.Username)
	_ = json.Unmarshal(up.sent, &u.Texts) // nothing, if it is not what was decoded before
	set(&u.Manager, up.Manager)
	if up.ACDAutoAnswer != nil {
		u.ACDAutoAnswer = *up.ACDAutoAnswer
	}
	if up.Certifications != nil {
		u.Certifications = slices.Clone(*up.Certifications)
	}
	if up.EmployerInfo != nil {
		u.Employer = up.EmployerInfo.stored()
	}
	if up.Biography != nil {
		u.Biography = up.Biography.Biography
	}
	if up.ProfileSkills != nil {
		u.ProfileSkills = slices.Clone(*up.ProfileSkills)
	}
	if up.Locations != nil {
		u.Locations = placesOf(*up.Locations)
	}
	if up.Addresses != nil {
		u.Contacts, _ = parseContacts(*up.Addresses) // checked before
	}
}
