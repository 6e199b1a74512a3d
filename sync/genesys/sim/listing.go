package sim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	defaultPage = 25
	largestPage = 500
	// inactiveCap is where a listing of inactive users ends with 400, whatever pageCount says (the
	// vendor's Terraform provider, DEVTOOLING-862).
	inactiveCap = 10_000
)

// page is UserEntityListing.
type page struct {
	Entities   []wireUser `json:"entities"`
	PageSize   int        `json:"pageSize"`
	PageNumber int        `json:"pageNumber"`
	Total      int        `json:"total"`
	PageCount  int        `json:"pageCount"`
	FirstURI   string     `json:"firstUri"`
	NextURI    string     `json:"nextUri,omitempty"`
	PrevURI    string     `json:"previousUri,omitempty"`
	LastURI    string     `json:"lastUri"`
	SelfURI    string     `json:"selfUri"`
}

func number(req *request, name string, standard, most int) (int, *answer) {
	v := req.URL.Query().Get(name)
	if v == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		return 0, badQuery(name, v)
	}
	return n, nil
}

func (s *Server) listUsers(req *request) answer {
	if a := s.permitted("directory:user:view"); a != nil {
		return *a
	}
	for name := range req.URL.Query() {
		switch name {
		case "pageSize", "pageNumber", "sortOrder", "expand", "state":
		default:
			return *badQuery(name, req.URL.Query().Get(name))
		}
	}
	size, bad := number(req, "pageSize", defaultPage, largestPage)
	if bad != nil {
		return *bad
	}
	num, bad := number(req, "pageNumber", 1, 1<<30)
	if bad != nil {
		return *bad
	}
	state, bad := oneOf(req, "state", "active", "active", "inactive", "deleted", "any")
	if bad != nil {
		return *bad
	}
	if _, bad := oneOf(req, "sortOrder", "ASC", "ASC", "DESC", "ascending", "descending"); bad != nil {
		return *bad
	}
	expand, bad := expandOf(req)
	if bad != nil {
		return *bad
	}
	if state == "inactive" && size*num > inactiveCap {
		return refuse(http.StatusBadRequest, "bad.request", "The request is beyond the first %d results.", inactiveCap)
	}

	now, first := time.Now(), (num-1)*size
	p := page{Entities: []wireUser{}, PageSize: size, PageNumber: num}
	for _, r := range s.dir.order {
		u := r.shown(now, s.o.ReadLag)
		if u == nil || state != "any" && u.State != state {
			continue
		}
		if p.Total >= first && len(p.Entities) < size {
			lacks := expand
			if s.o.DropExpands > 0 && (p.Total+1)%s.o.DropExpands == 0 && len(expand) > 0 {
				lacks = expand[1:] // "best effort"
			}
			p.Entities = append(p.Entities, u.wire(lacks))
		}
		p.Total++
	}
	p.PageCount = (p.Total + size - 1) / size
	uri := func(n int) string {
		return fmt.Sprintf("/api/v2/users?pageSize=%d&pageNumber=%d&state=%s", size, n, state)
	}
	p.FirstURI, p.LastURI, p.SelfURI = uri(1), uri(max(p.PageCount, 1)), uri(num)
	if num < p.PageCount {
		p.NextURI = uri(num + 1)
	}
	if num > 1 {
		p.PrevURI = uri(num - 1)
	}
	return answer{status: http.StatusOK, body: p}
}
