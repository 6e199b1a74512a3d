package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	queueBatch = 100 // of members, in one request
	queuePage  = 100 // of members, in one answer
)

// wireQueue is the API's Queue, and UserQueue, which tells of a user whether it is joined.
type wireQueue struct {
	ID              string  `json:"id"`
	Name            string  `json:"name"`
	Division        wireRef `json:"division"`
	MemberCount     *int    `json:"memberCount,omitempty"`
	UserMemberCount *int    `json:"userMemberCount,omitempty"`
	Joined          *bool   `json:"joined,omitempty"`
	SelfURI         string  `json:"selfUri"`
}

func (s *Server) queue(t listed) wireQueue {
	return wireQueue{ID: t.id, Name: t.name, Division: s.divisionRef(t.division), SelfURI: "/api/v2/routing/queues/" + t.id}
}

// counted is a queue with the number of its members, and of its direct ones.
func (s *Server) counted(t listed) any {
	w, direct, all := s.queue(t), 0, s.roster(t.thing)
	for _, m := range all {
		if m.direct {
			direct++
		}
	}
	n := len(all)
	w.MemberCount, w.UserMemberCount = &n, &direct
	return t.parts.over(w)
}

func (s *Server) listQueues(req *request) answer {
	s.runDue(time.Now())
	if bad := s.catalogRequest(req, "routing:queue:view", "name", "sortOrder", "divisionId", "hasPeer"); bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Queue, wild)
	if bad != nil {
		return *bad
	}
	if divisions := list(req, "divisionId"); divisions != nil {
		all = slices.DeleteFunc(all, func(t listed) bool { return !slices.Contains(divisions, t.division) })
	}
	return paged(req, all, s.counted)
}

// wireMember is QueueMember.
type wireMember struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	User     wireRef `json:"user"`
	Ring     int     `json:"ringNumber"`
	Joined   bool    `json:"joined"`
	MemberBy string  `json:"memberBy"`
	SelfURI  string  `json:"selfUri"`
}

// memberPage is QueueMemberEntityListing, which tells no total.
type memberPage struct {
	Entities   []wireMember `json:"entities"`
	PageSize   int          `json:"pageSize"`
	PageNumber int          `json:"pageNumber"`
	FirstURI   string       `json:"firstUri,omitempty"`
	NextURI    string       `json:"nextUri,omitempty"`
	PrevURI    string       `json:"previousUri,omitempty"`
	SelfURI    string       `json:"selfUri,omitempty"`
}

// aQueue finds the queue of a request.
func (s *Server) aQueue(req *request) (*thing, *answer) {
	s.runDue(time.Now())
	q := s.stores[Queue].live(req.PathValue("queue"))
	if q == nil {
		a := notFound()
		return nil, &a
	}
	return q, nil
}

func (s *Server) listMembers(req *request) answer {
	if a := s.permitted("routing:queue:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "pageSize", "pageNumber", "sortOrder", "memberBy", "joined", "name"); bad != nil {
		return *bad
	}
	q, bad := s.aQueue(req)
	if bad != nil {
		return *bad
	}
	by, bad := oneOf(req, "memberBy", "", "user", "group")
	if bad != nil {
		return *bad
	}
	joined, bad := truth(req, "joined", true)
	if bad != nil {
		return *bad
	}
	order, bad := oneOf(req, "sortOrder", "asc", "asc", "desc")
	if bad != nil {
		return *bad
	}
	name, all := strings.ToLower(req.URL.Query().Get("name")), s.roster(q)
	if req.URL.Query().Get("joined") != "" || by != "" || name != "" || order == "desc" {
		all = slices.DeleteFunc(slices.Clone(all), func(m member) bool {
			return by != "" && m.by() != by || req.URL.Query().Get("joined") != "" && m.joined != joined || !strings.Contains(strings.ToLower(m.Name), name)
		})
		if order == "desc" {
			slices.Reverse(all)
		}
	}
	p, bad := pageOf(req, queuePage, all, func(m member) wireMember {
		user := wireRef{m.ID, m.Name, "/api/v2/users/" + m.ID}
		return wireMember{m.ID, m.Name, user, orElse(q.rings[m.ID], 1), m.joined, m.by(), "/api/v2/routing/queues/" + q.id + "/members/" + m.ID}
	})
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: memberPage{p.Entities, p.PageSize, p.PageNumber, p.FirstURI, p.NextURI, p.PrevURI, p.SelfURI}}
}

func (m member) by() string {
	if m.direct {
		return "user"
	}
	return "group"
}

// changeMembers is POST /routing/queues/{queue}/members, which adds or takes away. It is carried out later.
func (s *Server) changeMembers(req *request) answer {
	if a := s.permitted("routing:queueMember:manage"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "delete"); bad != nil {
		return *bad
	}
	remove, bad := truth(req, "delete", false)
	if bad != nil {
		return *bad
	}
	var body []struct {
		ID string `json:"id"`
	}
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	q, bad := s.aQueue(req)
	if bad != nil {
		return *bad
	}
	if len(body) == 0 || len(body) > queueBatch {
		return *invalid("Invalid request data.  Make sure you submit a valid number of queue members.")
	}
	for _, item := range body {
		r := s.dir.byID[item.ID]
		_, direct := q.members[item.ID]
		switch {
		case r == nil || r.hidden || r.State == "deleted" && !remove:
			return refuse(http.StatusBadRequest, "invalid.id", "user [%s] cannot be a member", item.ID)
		case !direct && q.through(item.ID):
			return *invalid("user [%s] is a member through a group", item.ID)
		}
	}
	seen := map[string]bool{}
	for _, item := range body {
		if _, is := q.members[item.ID]; is == remove && !seen[item.ID] {
			s.dir.byID[item.ID].Writes++
		}
		seen[item.ID] = true
		s.later(func() {
			if remove {
				s.expel(Queue, q, item.ID)
			} else {
				s.enrol(Queue, q, item.ID)
			}
		})
	}
	return noContent
}

// patchMember is PATCH /routing/queues/{queue}/members/{member}: the ring, and whether the member is joined.
func (s *Server) patchMember(req *request) answer {
	if a := s.permitted("routing:queueMember:manage"); a != nil {
		return *a
	}
	var body struct {
		ID     string `json:"id"`
		Ring   int    `json:"ringNumber"`
		Joined *bool  `json:"joined"`
	}
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	q, bad := s.aQueue(req)
	if bad != nil {
		return *bad
	}
	user := req.PathValue("member")
	if _, is := q.members[user]; !is {
		return refuse(http.StatusNotFound, "resource.not.found", "The resource could not be found.")
	}
	if body.Ring != 0 {
		if q.rings == nil {
			q.rings = map[string]int{}
		}
		q.rings[user] = body.Ring
	}
	if body.Joined != nil {
		q.members[user] = *body.Joined
	}
	s.dir.byID[user].Writes++
	s.dir.changes++
	return answer{status: http.StatusAccepted}
}
