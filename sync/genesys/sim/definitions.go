package sim

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A definable is a kind of object that requests create, change and delete, as the vendor's Terraform provider does.
type definable struct {
	kind              Kind
	path, param       string // of the collection; the name of the id in the path of one
	add, edit, remove string // permissions; without edit the API has no PUT
	takenStatus       int    // of a POST with a name that is taken
	takenCode         string
	show              func(listed) any
}

// definables are these kinds; permissions and codes are those of the API's description.
func (s *Server) definables() []definable {
	const manage = "routing:skill:manage" // of languages, too
	skill, language := textVersion("/api/v2/routing/skills/"), textVersion("/api/v2/routing/languages/")
	return []definable{
		{Skill, "/api/v2/routing/skills", "skill", manage, "", manage, s.o.TakenStatus, "general.conflict", func(t listed) any { return skill(t) }},
		{Language, "/api/v2/routing/languages", "language", manage, "", manage, http.StatusBadRequest, "general.conflict", func(t listed) any { return language(t) }},
		{Division, "/api/v2/authorization/divisions", "division", "authorization:division:add", "authorization:division:edit", "authorization:division:delete", http.StatusConflict, "resource.already.exists", division},
		{Queue, "/api/v2/routing/queues", "queue", "routing:queue:add", "routing:queue:edit", "routing:queue:delete", http.StatusBadRequest, "duplicate.name", s.counted},
		{WrapUpCode, "/api/v2/routing/wrapupcodes", "code", "routing:wrapupCode:add", "routing:wrapupCode:edit", "routing:wrapupCode:delete", http.StatusBadRequest, "duplicate.name", s.wrapUpCode},
		{Group, "/api/v2/groups", "group", "directory:group:add", "directory:group:edit", "directory:group:delete", http.StatusBadRequest, "group.name.in.use", s.group},
	}
}

func (s *Server) definitionRoutes() {
	for _, d := range s.definables() {
		one := d.path + "/{" + d.param + "}"
		s.route("POST "+d.path, s.defines(d))
		s.route("DELETE "+one, s.removes(d))
		if d.kind != Group { // which has its own
			s.route("GET "+one, s.shows(d))
		}
		if d.edit != "" {
			s.route("PUT "+one, s.redefines(d))
		}
	}
	s.codeRoutes()
}

// parts are the members of an object that are stored and shown as they were sent, and mean nothing here.
type parts map[string]json.RawMessage

// over is an object as it is shown together with such parts.
func (p parts) over(shown any) any {
	if len(p) == 0 {
		return shown
	}
	all := parts{}
	data, _ := json.Marshal(shown) // a struct of this package
	_ = json.Unmarshal(data, &all)
	maps.Copy(all, p)
	return all
}

// ref is a reference by id.
type ref struct {
	ID   string `json:"id"`
	Type string `json:"type,omitempty"` // of a member group
}

// definition is what the bodies have that means something here.
type definition struct {
	Name          string   `json:"name"`
	Version       *int     `json:"version"` // of a group
	Division      ref      `json:"division"`
	OwnerIDs      []string `json:"ownerIds"`      // of a group
	IncludeOwners bool     `json:"includeOwners"` // of a group
	MemberGroups  []ref    `json:"memberGroups"`  // of a queue
}

// readDefinition reads a body into what means something, and the parts.
func (s *Server) readDefinition(req *request, d definable, self *thing) (body definition, rest parts, bad *answer) {
	if json.Unmarshal(req.body, &body) != nil || json.Unmarshal(req.body, &rest) != nil || rest == nil {
		return body, nil, invalid("The request could not be understood by the server due to malformed syntax")
	}
	if body.Name == "" {
		return body, nil, invalid("name is required")
	}
	if id := body.Division.ID; id != "" && id != AllDivisions && s.stores[Division].live(id) == nil {
		return body, nil, invalid("division [%s] does not exist", id)
	}
	same := func(t *thing) bool { return t != self && t.there && strings.EqualFold(t.name, body.Name) }
	if slices.ContainsFunc(s.stores[d.kind].order, same) {
		a := refuse(d.takenStatus, d.takenCode, "%s", conflictText)
		return body, nil, &a
	}
	if owners := slices.DeleteFunc(body.OwnerIDs, func(id string) bool { return strings.TrimSpace(id) == "" }); len(owners) > 0 {
		refs := []ref{}
		for _, id := range owners {
			refs = append(refs, ref{ID: id})
		}
		rest["owners"], _ = json.Marshal(refs)
	}
	for name := range strings.FieldsSeq("id name version state selfUri memberCount homeDivision division ownerIds sourceQueueId") {
		delete(rest, name) // known otherwise, or never shown
	}
	maps.DeleteFunc(rest, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	return body, rest, nil
}

// take stores a definition.
func (s *Server) take(d definable, t *thing, body definition, rest parts) {
	t.become(label{body.Name, true}, time.Now())
	t.parts, t.division = rest, orElse(body.Division.ID, t.division)
	for _, id := range body.OwnerIDs {
		if t.given == nil {
			t.given = map[string]bool{}
		}
		if delete(t.given, id); body.IncludeOwners {
			t.given[id] = true
		}
	}
	if d.kind == Queue {
		var groups []string
		for _, g := range body.MemberGroups {
			groups = append(groups, g.ID)
		}
		s.feed(t, groups)
	}
	s.dir.changes++
}

func (s *Server) defines(d definable) handler {
	return func(req *request) answer {
		if a := s.permitted(d.add); a != nil {
			return *a
		}
		body, rest, bad := s.readDefinition(req, d, nil)
		if bad != nil {
			return *bad
		}
		t := s.stores[d.kind].put(s.newID())
		t.version = 0 // the first is 1
		s.take(d, t, body, rest)
		return answer{status: http.StatusOK, body: d.show(listed{t, t.name})}
	}
}

// one finds the object of a request.
func (s *Server) one(req *request, d definable) (*thing, *answer) {
	t := s.stores[d.kind].live(req.PathValue(d.param))
	if t == nil {
		a := notFound()
		return nil, &a
	}
	return t, nil
}

func (s *Server) shows(d definable) handler {
	return func(req *request) answer {
		s.runDue(time.Now())
		t, bad := s.one(req, d)
		if bad != nil {
			return *bad
		}
		return answer{status: http.StatusOK, body: d.show(listed{t, t.name})}
	}
}

// redefines replaces an object. A group's version must be the current one, and its type cannot be changed.
func (s *Server) redefines(d definable) handler {
	return func(req *request) answer {
		if a := s.permitted(d.edit); a != nil {
			return *a
		}
		t, bad := s.one(req, d)
		if bad != nil {
			return *bad
		}
		body, rest, bad := s.readDefinition(req, d, t)
		if bad != nil {
			return *bad
		}
		if d.kind == Group {
			if body.Version == nil {
				return *invalid("version is required")
			}
			if *body.Version != t.version {
				return *s.mismatch(*body.Version, t.version)
			}
			if kind, has := t.parts["type"]; has {
				rest["type"] = kind
			}
		}
		s.take(d, t, body, rest)
		return answer{status: http.StatusOK, body: d.show(listed{t, t.name})}
	}
}

// removes deletes an object. A division that has users goes by force alone.
func (s *Server) removes(d definable) handler {
	return func(req *request) answer {
		if a := s.permitted(d.remove); a != nil {
			return *a
		}
		if bad := onlyQuery(req, "force", "forceDelete"); bad != nil {
			return *bad
		}
		force, bad := truth(req, "force", false)
		if bad != nil {
			return *bad
		}
		t, bad := s.one(req, d)
		if bad != nil {
			return *bad
		}
		inhabited := func(r *record) bool { return r.Division == t.id }
		if d.kind == Division && !force && slices.ContainsFunc(s.dir.order, inhabited) || !s.remove(d.kind, t.id) {
			return refuse(http.StatusBadRequest, "precondition.failure", "One or more preconditions was not met.")
		}
		if d.kind == Division {
			return noContent
		}
		return answer{status: http.StatusOK, body: struct{}{}}
	}
}
