package sim

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

// userQueues are the queues of a user as they are listed.
func (s *Server) userQueues(user string) []wireQueue {
	all := []wireQueue{}
	for _, q := range s.queuesOf(user) {
		joined, direct := q.members[user]
		w := s.queue(listed{q, q.name})
		joined = joined || !direct
		w.Joined = &joined
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b wireQueue) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}

func (s *Server) listUserQueues(req *request) answer {
	s.runDue(time.Now())
	if bad := onlyQuery(req, "pageSize", "pageNumber", "joined", "divisionId"); bad != nil {
		return *bad
	}
	joined, bad := truth(req, "joined", true)
	if bad != nil {
		return *bad
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	divisions := list(req, "divisionId")
	all := slices.DeleteFunc(s.userQueues(r.ID), func(q wireQueue) bool {
		return req.URL.Query().Get("joined") != "" && *q.Joined != joined || divisions != nil && !slices.Contains(divisions, q.Division.ID)
	})
	return paged(req, all, func(q wireQueue) wireQueue { return q })
}

// joinQueues is PATCH /users/{id}/queues. It joins and unjoins; "non-member user-queue pairs in the
// request will be disregarded", says the API's description, and that it is carried out later.
func (s *Server) joinQueues(req *request) answer {
	if bad := onlyQuery(req, "divisionId"); bad != nil {
		return *bad
	}
	var body []struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		Joined *bool  `json:"joined"`
	}
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	s.runDue(time.Now())
	for _, item := range body {
		if item.ID == "" || item.Joined == nil {
			return *invalid("A queue needs an id, and joined")
		}
	}
	changed := false
	for _, item := range body {
		q := s.stores[Queue].live(item.ID)
		if q == nil {
			continue
		}
		if joined, is := q.members[r.ID]; is {
			changed = changed || joined != *item.Joined
			s.later(func() {
				if _, still := q.members[r.ID]; still {
					q.members[r.ID] = *item.Joined
					s.dir.changes++
				}
			})
		}
	}
	if changed {
		r.Writes++
	}
	all := s.userQueues(r.ID)
	p := page[wireQueue]{Entities: all, PageSize: max(len(all), defaultPage), PageNumber: 1, Total: len(all)}
	p.finish(req)
	return answer{status: http.StatusOK, body: p}
}
