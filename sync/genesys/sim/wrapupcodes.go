package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// codeRoutes are the listings of wrap-up codes, which queues have and users do not, and the voicemail of groups.
func (s *Server) codeRoutes() {
	s.route("GET /api/v2/routing/wrapupcodes", s.listWrapUpCodes)
	s.route("GET /api/v2/routing/queues/{queue}/wrapupcodes", s.listQueueCodes)
	s.route("POST /api/v2/routing/queues/{queue}/wrapupcodes", s.addQueueCodes)
	s.route("DELETE /api/v2/routing/queues/{queue}/wrapupcodes/{code}", s.removeQueueCode)
	s.route("GET /api/v2/voicemail/groups/{group}/policy", s.getGroupPolicy)
	s.route("PATCH /api/v2/voicemail/groups/{group}/policy", s.patchGroupPolicy)
}

// wireWrapUpCode is WrapupCode.
type wireWrapUpCode struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Division wireRef `json:"division"`
	SelfURI  string  `json:"selfUri"`
}

func (s *Server) wrapUpCode(t listed) any {
	return t.parts.over(wireWrapUpCode{t.id, t.name, s.divisionRef(t.division), "/api/v2/routing/wrapupcodes/" + t.id})
}

func (s *Server) listWrapUpCodes(req *request) answer {
	if bad := s.catalogRequest(req, "routing:wrapupCode:view", "name", "sortBy", "sortOrder", "divisionId"); bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, WrapUpCode, strings.HasPrefix)
	if bad != nil {
		return *bad
	}
	return paged(req, all, s.wrapUpCode)
}

func (s *Server) listQueueCodes(req *request) answer {
	if a := s.permitted("routing:queue:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "pageSize", "pageNumber", "name"); bad != nil {
		return *bad
	}
	q, bad := s.aQueue(req)
	if bad != nil {
		return *bad
	}
	all := []listed{}
	for _, id := range q.codes {
		if t := s.stores[WrapUpCode].live(id); t != nil {
			all = append(all, listed{t, t.name})
		}
	}
	return paged(req, all, s.wrapUpCode)
}

// addQueueCodes answers with the codes that were added.
func (s *Server) addQueueCodes(req *request) answer {
	if a := s.permitted("routing:queue:edit"); a != nil {
		return *a
	}
	var body []ref
	if json.Unmarshal(req.body, &body) != nil {
		return *invalid("The body must be a list of wrap-up codes")
	}
	q, bad := s.aQueue(req)
	if bad != nil {
		return *bad
	}
	added := []any{}
	for _, r := range body {
		t := s.stores[WrapUpCode].live(r.ID)
		if t == nil {
			return refuse(http.StatusBadRequest, "invalid.id", "wrap-up code [%s] does not exist", r.ID)
		}
		added = append(added, s.wrapUpCode(listed{t, t.name}))
	}
	for _, r := range body {
		if !slices.Contains(q.codes, r.ID) {
			q.codes = append(q.codes, r.ID)
		}
	}
	return answer{status: http.StatusOK, body: added}
}

func (s *Server) removeQueueCode(req *request) answer {
	if a := s.permitted("routing:queue:edit"); a != nil {
		return *a
	}
	q, bad := s.aQueue(req)
	if bad != nil {
		return *bad
	}
	i := slices.Index(q.codes, req.PathValue("code"))
	if i < 0 {
		return notFound()
	}
	q.codes = slices.Delete(q.codes, i, i+1)
	return answer{status: http.StatusOK, body: struct{}{}}
}

// groupPolicy is VoicemailGroupPolicy as far as nobody has changed it.
func (t *thing) groupPolicy() any {
	return t.policy.over(struct {
		Name    string `json:"name"`
		Group   ref    `json:"group"`
		Enabled bool   `json:"enabled"`
	}{t.name, ref{ID: t.id}, false})
}

func (s *Server) getGroupPolicy(req *request) answer {
	if a := s.permitted("voicemail:groupPolicy:view"); a != nil {
		return *a
	}
	g, bad := s.aGroup(req)
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: g.groupPolicy()}
}

func (s *Server) patchGroupPolicy(req *request) answer {
	if a := s.permitted("voicemail:groupPolicy:edit"); a != nil {
		return *a
	}
	g, bad := s.aGroup(req)
	if bad != nil {
		return *bad
	}
	if g.policy == nil {
		g.policy = parts{}
	}
	if json.Unmarshal(req.body, &g.policy) != nil {
		return *invalid("The body must be a voicemail policy")
	}
	return answer{status: http.StatusOK, body: g.groupPolicy()}
}
