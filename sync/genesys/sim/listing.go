package sim

import (
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	defaultPage = 25
	largestPage = 500
	// inactiveCap is where a listing of inactive users ends with 400, whatever pageCount says (the
	// vendor's Terraform provider, DEVTOOLING-862).
	inactiveCap = 10_000
)

// A selection is which users a listing shows, and how.
type selection struct {
	size    int
	state   string
	down    bool // the other way round
	expand  []string
	ids     []string // no others, if there are any
	jabbers []string
}

func (s *Server) selection(req *request, orders ...string) (sel selection, bad *answer) {
	if sel.size, bad = number(req, "pageSize", defaultPage, largestPage); bad != nil {
		return sel, bad
	}
	if sel.state, bad = oneOf(req, "state", "active", "active", "inactive", "deleted", "any"); bad != nil {
		return sel, bad
	}
	order, bad := oneOf(req, "sortOrder", "ASC", orders...)
	if bad != nil {
		return sel, bad
	}
	sel.down = order == "DESC" || order == "descending"
	sel.expand, bad = expandOf(req)
	return sel, bad
}

// all goes through a selection in the order in which users were made, which no change disturbs. The
// key is a user's place in it.
func (s *Server) all(sel selection) iter.Seq2[int, *User] {
	now := time.Now()
	return func(yield func(int, *User) bool) {
		for i := range s.dir.order {
			if sel.down {
				i = len(s.dir.order) - 1 - i
			}
			r := s.dir.order[i]
			u := r.shown(now, s.o.ReadLag)
			switch {
			case u == nil || r.hidden || sel.state != "any" && u.State != sel.state:
			case sel.ids != nil && (!slices.Contains(sel.ids, u.ID) || !slices.Contains(strings.Fields(s.o.IDStates), u.State)):
			case sel.jabbers != nil && !slices.Contains(sel.jabbers, u.jabber()):
			case !yield(i, u):
				return
			}
		}
	}
}

// entity shows the n-th user of a listing. Expansions are made with the "best effort".
func (s *Server) entity(u *User, n int, expand []string) wireUser {
	if s.o.DropExpands > 0 && n%s.o.DropExpands == 0 && len(expand) > 0 {
		expand = expand[1:]
	}
	return s.wire(u, expand)
}

func (s *Server) listUsers(req *request) answer {
	if a := s.permitted("directory:user:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "pageSize", "pageNumber", "sortOrder", "expand", "state", "id", "jabberId"); bad != nil {
		return *bad
	}
	sel, bad := s.selection(req, "ASC", "DESC", "ascending", "descending")
	if bad != nil {
		return *bad
	}
	num, bad := number(req, "pageNumber", 1, 1<<30)
	if bad != nil {
		return *bad
	}
	sel.ids, sel.jabbers = list(req, "id"), list(req, "jabberId")
	if n := max(len(sel.ids), len(sel.jabbers)); n > s.o.MaxIDs {
		return refuse(http.StatusBadRequest, "max.user.ids", "%d ids are more than the maximum of %d", n, s.o.MaxIDs)
	}
	if sel.ids != nil && sel.jabbers != nil {
		return *invalid("id and jabberId cannot be combined")
	}
	if sel.state == "inactive" && sel.size*num > inactiveCap {
		return *invalid("The request is beyond the first %d results.", inactiveCap)
	}

	first := (num - 1) * sel.size
	p := page[wireUser]{Entities: []wireUser{}, PageSize: sel.size, PageNumber: num}
	for _, u := range s.all(sel) {
		p.Total++
		if p.Total > first && len(p.Entities) < sel.size {
			p.Entities = append(p.Entities, s.entity(u, p.Total, sel.expand))
		}
	}
	if s.o.MissingIDs && sel.ids != nil && p.Total < len(slices.Compact(slices.Sorted(slices.Values(sel.ids)))) {
		return refuse(http.StatusNotFound, "general.resource.not.found", "The requested resource was not found.")
	}
	p.finish(req)
	return answer{status: http.StatusOK, body: p}
}
