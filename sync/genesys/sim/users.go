package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// find finds the user that a request is about, deleted or not, if the client may see it.
func (s *Server) find(req *request) (*record, *answer) { return s.visible(req.PathValue("id")) }

// visible finds a user by id, deleted or not, if the client may see it.
func (s *Server) visible(id string) (*record, *answer) {
	r := s.dir.byID[id]
	if r == nil || r.hidden && s.o.HiddenStatus == http.StatusNotFound {
		a := notFound()
		return nil, &a
	}
	if r.hidden {
		a := refuse(http.StatusForbidden, "missing.division.permission", "You are not authorized to perform the requested action.")
		return nil, &a
	}
	return r, nil
}

// owner finds the user under whom a request's resource hangs. Nothing hangs under a deleted one.
func (s *Server) owner(req *request) (*record, *answer) {
	r, bad := s.find(req)
	if bad == nil && r.State == "deleted" {
		a := notFound()
		return nil, &a
	}
	return r, bad
}

func (s *Server) getUser(req *request) answer {
	if a := s.permitted("directory:user:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "expand", "state"); bad != nil {
		return *bad
	}
	expand, bad := expandOf(req)
	if bad != nil {
		return *bad
	}
	state, bad := oneOf(req, "state", "active", "active", "deleted")
	if bad != nil {
		return *bad
	}
	r, bad := s.find(req)
	if bad != nil {
		return *bad
	}
	// The default shows inactive users, too; only deleted ones must be asked for.
	if (r.State == "deleted") != (state == "deleted") || r.shown(time.Now(), s.o.ReadLag) == nil {
		return notFound()
	}
	return answer{status: http.StatusOK, body: s.wire(&r.User, expand)}
}

// deleteUser keeps the user, and the address.
func (s *Server) deleteUser(req *request) answer {
	if a := s.permitted("directory:user:delete"); a != nil {
		return *a
	}
	r, bad := s.find(req)
	if bad != nil && bad.status != http.StatusNotFound {
		return *bad
	}
	if r == nil || r.State == "deleted" {
		return refuse(http.StatusNotFound, "user.not.found.on.delete", "User not found on delete.")
	}
	s.change(r, func(u *User) { u.State = "deleted" })
	return answer{status: http.StatusOK, body: struct{}{}}
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
	for _, item := range items {
		r := s.dir.byID[item.ID]
		if r == nil || r.hidden || r.State == "deleted" || item.ACDAutoAnswer == nil {
			return *invalid("user [%s] cannot be updated", item.ID)
		}
	}
	p := page[wireUser]{Entities: []wireUser{}, PageSize: len(items), PageNumber: 1, Total: len(items), PageCount: 1}
	for _, item := range items {
		r := s.dir.byID[item.ID]
		s.change(r, func(u *User) { u.ACDAutoAnswer = *item.ACDAutoAnswer })
		p.Entities = append(p.Entities, s.wire(&r.User, nil))
	}
	return answer{status: http.StatusOK, body: p}
}

// userState is the API's UserState.
type userState struct {
	State   string     `json:"state"`
	Version int        `json:"version,omitempty"`
	Reason  string     `json:"stateChangeReason,omitempty"`
	Date    *time.Time `json:"stateChangeDate,omitempty"` // read-only
}

func (r *record) state() answer {
	body := userState{State: r.State, Version: r.turn.version, Reason: r.turn.reason}
	if date := r.turn.date.UTC(); !date.IsZero() {
		body.Date = &date
	}
	return answer{status: http.StatusOK, body: body}
}

func (s *Server) getState(req *request) answer {
	if a := s.permitted("directory:userStateChange:view"); a != nil {
		return *a
	}
	r, bad := s.find(req)
	if bad != nil {
		return *bad
	}
	return r.state()
}

// putState changes the state with a reason. The version is the state's own, and need not be sent.
func (s *Server) putState(req *request) answer {
	if a := s.permitted("directory:user:edit"); a != nil {
		return *a
	}
	var body userState
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	r, bad := s.find(req)
	if bad != nil {
		return *bad
	}
	if body.Version != 0 && body.Version != r.turn.version {
		return *s.mismatch(body.Version, r.turn.version)
	}
	if bad := validState(body.State); bad != nil {
		return *bad
	}
	const reasons = "Voluntary Seasonal Leave Performance Conduct Unknown"
	if body.Reason != "" && !slices.Contains(strings.Fields(reasons), body.Reason) {
		return *notAllowed(body.Reason, "stateChangeReason", strings.Fields(reasons)...)
	}
	if body.State != r.State {
		s.change(r, func(u *User) { u.State = body.State })
	}
	r.turn.reason = body.Reason
	return r.state()
}
