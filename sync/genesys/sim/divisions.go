package sim

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// wireDivision is AuthzDivision.
type wireDivision struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Home    bool   `json:"homeDivision"`
	SelfURI string `json:"selfUri,omitempty"`
}

// wireDivision shows a division by its id; all divisions have no page of their own.
func (s *Server) wireDivision(id string) wireDivision {
	if id == AllDivisions {
		return wireDivision{ID: id, Name: id}
	}
	return wireDivision{id, s.stores[Division].nameOf(id), id == homeDivision, "/api/v2/authorization/divisions/" + id}
}

func division(t listed) any {
	return t.parts.over(wireDivision{t.id, t.name, t.id == homeDivision, "/api/v2/authorization/divisions/" + t.id})
}

func (s *Server) listDivisions(req *request) answer {
	if bad := s.catalogRequest(req, "", "name", "objectCount", "sortBy"); bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Division, strings.Contains)
	if bad != nil {
		return *bad
	}
	return paged(req, all, division)
}

func (s *Server) getHome(*request) answer {
	return answer{status: http.StatusOK, body: s.wireDivision(homeDivision)}
}

// divisionCursorPage is AuthzDivisionCursorListing, whose cursors are in its links alone.
type divisionCursorPage struct {
	Entities []any  `json:"entities"`
	NextURI  string `json:"nextUri,omitempty"`
	PrevURI  string `json:"previousUri,omitempty"`
	SelfURI  string `json:"selfUri"`
}

// queryDivisions is GET /authorization/divisions/query, which shows 200 at the most.
func (s *Server) queryDivisions(req *request) answer {
	if bad := onlyQuery(req, "after", "before", "pageSize", "id", "name"); bad != nil {
		return *bad
	}
	size, bad := number(req, "pageSize", defaultPage, 200)
	if bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Division, strings.Contains)
	if bad != nil {
		return *bad
	}
	q := req.URL.Query()
	name := "after"
	if q.Has("before") {
		name = "before"
	}
	from := 0
	if q.Has(name) {
		text, err := base64.RawURLEncoding.DecodeString(q.Get(name))
		n, wrong := strconv.Atoi(string(text))
		if err != nil || wrong != nil || n < 0 || n > len(all) || q.Has("after") && q.Has("before") {
			return *badQuery(name, q.Get(name))
		}
		if from = n; name == "before" {
			from = max(n-size, 0)
		}
	}
	to := min(from+size, len(all))
	link := func(name string, n int) string {
		bare := *req
		u := *req.URL
		q := u.Query()
		q.Del("after")
		q.Del("before")
		u.RawQuery = q.Encode()
		bare.Request = &http.Request{URL: &u}
		return another(&bare, name, base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(n))))
	}
	p := divisionCursorPage{Entities: []any{}, SelfURI: req.URL.RequestURI()}
	for _, t := range all[from:to] {
		p.Entities = append(p.Entities, division(t))
	}
	if to < len(all) {
		p.NextURI = link("after", to)
	}
	if from > 0 {
		p.PrevURI = link("before", from)
	}
	return answer{status: http.StatusOK, body: p}
}

// moveQueues is POST /authorization/divisions/{division}/objects/QUEUE: all are moved, or none.
func (s *Server) moveQueues(req *request) answer {
	var ids []string
	if bad := s.decode(req, &ids); bad != nil {
		return *bad
	}
	to := s.stores[Division].live(req.PathValue("division"))
	if to == nil || slices.ContainsFunc(ids, func(id string) bool { return s.stores[Queue].live(id) == nil }) {
		return notFound()
	}
	for _, id := range ids {
		s.stores[Queue].byID[id].division = to.id
	}
	return noContent
}

// moveUsers is POST /authorization/divisions/{division}/objects/USER: all are moved, or none.
func (s *Server) moveUsers(req *request) answer {
	var ids []string
	if bad := s.decode(req, &ids); bad != nil {
		return *bad
	}
	to := s.stores[Division].live(req.PathValue("division"))
	if to == nil {
		return notFound()
	}
	if len(ids) == 0 || len(ids) > s.o.DivisionBatch {
		return *invalid("%d objects are not between 1 and the maximum of %d", len(ids), s.o.DivisionBatch)
	}
	moving := []*record{}
	for _, id := range ids {
		r, bad := s.visible(id)
		if bad != nil {
			return *bad
		}
		if r.State == "deleted" {
			return notFound()
		}
		if !slices.Contains(moving, r) {
			moving = append(moving, r)
		}
	}
	for _, r := range moving {
		s.changePart(r, func(u *User) { u.Division = to.id })
	}
	return noContent
}

// wrongObject answers the other types of objects, which the API has and this server does not.
func (s *Server) wrongObject(req *request) answer {
	return *notAllowed(req.PathValue("type"), "objectType", "USER", "QUEUE")
}
