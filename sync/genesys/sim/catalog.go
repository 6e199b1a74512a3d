package sim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A listed thing is one with the name that its listing shows, which may lag behind.
type listed struct {
	*thing
	name string
}

// catalog is the things of a kind as a listing shows them, by name: those whose name the filter takes, and
// of those with the ids of the query, if it has any.
func (s *Server) catalog(req *request, k Kind, takes func(name, filter string) bool) ([]listed, *answer) {
	now, ids, filter := time.Now(), list(req, "id"), strings.ToLower(req.URL.Query().Get("name"))
	all := []listed{}
	for _, t := range s.stores[k].order {
		l := t.shown(now, s.o.CatalogLag)
		if !l.there || ids != nil && !slices.Contains(ids, t.id) || filter != "" && !takes(strings.ToLower(l.name), filter) {
			continue
		}
		all = append(all, listed{t, l.name})
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id)) })
	return all, inOrder(req, all)
}

// wild is the filter of queues: asterisks at the ends stand for anything.
func wild(name, filter string) bool {
	head, tail := strings.HasPrefix(filter, "*"), strings.HasSuffix(filter, "*")
	bare := strings.Trim(filter, "*")
	switch {
	case head && tail:
		return strings.Contains(name, bare)
	case head:
		return strings.HasSuffix(name, bare)
	case tail:
		return strings.HasPrefix(name, bare)
	}
	return name == bare
}

// catalogRequest checks what every listing of things has in common.
func (s *Server) catalogRequest(req *request, permission string, query ...string) *answer {
	if permission != "" {
		if a := s.permitted(permission); a != nil {
			return a
		}
	}
	return onlyQuery(req, append(query, "pageSize", "pageNumber", "id")...)
}

// wireNamed is RoutingSkill, Language and LocationDefinition as far as they are alike.
type wireNamed struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	State   string `json:"state"`
	Version any    `json:"version"` // of a location a number, of the others a text
	SelfURI string `json:"selfUri"`
}

func (s *Server) listSkills(req *request) answer {
	if bad := s.catalogRequest(req, "routing:skill:view", "name"); bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Skill, strings.HasPrefix)
	if bad != nil {
		return *bad
	}
	return paged(req, all, textVersion("/api/v2/routing/skills/"))
}

func (s *Server) listLanguages(req *request) answer {
	if bad := s.catalogRequest(req, "", "name", "sortOrder"); bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Language, strings.HasPrefix)
	if bad != nil {
		return *bad
	}
	return paged(req, all, textVersion("/api/v2/routing/languages/"))
}

func textVersion(path string) func(listed) wireNamed {
	return func(t listed) wireNamed {
		return wireNamed{t.id, t.name, "active", strconv.Itoa(t.version), path + t.id}
	}
}

func (s *Server) listLocations(req *request) answer {
	if bad := s.catalogRequest(req, "", "sortOrder"); bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Location, nil)
	if bad != nil {
		return *bad
	}
	return paged(req, all, func(t listed) wireNamed {
		return wireNamed{t.id, t.name, "active", t.version, "/api/v2/locations/" + t.id}
	})
}

// wireGroup is the API's Group.
type wireGroup struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	MemberCount  int    `json:"memberCount"`
	State        string `json:"state"`
	Version      int    `json:"version"`
	Type         string `json:"type"`
	RulesVisible bool   `json:"rulesVisible"`
	Visibility   string `json:"visibility"`
	RolesEnabled bool   `json:"rolesEnabled"`
	SelfURI      string `json:"selfUri"`
}

func (s *Server) group(t listed) any {
	n := 0
	for user := range t.everybody() {
		if s.sees(user) {
			n++
		}
	}
	return t.parts.over(wireGroup{t.id, t.name, n, "active", t.version, "official", true, "public", true, "/api/v2/groups/" + t.id})
}

func (s *Server) listGroups(req *request) answer {
	if bad := s.catalogRequest(req, "", "sortOrder", "jabberId"); bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Group, nil)
	if bad != nil {
		return *bad
	}
	return paged(req, all, s.group)
}
