package sim

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// wireRated is UserRoutingSkill and UserRoutingLanguage, whose names differ in one field.
type wireRated struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Proficiency float64 `json:"proficiency"`
	State       string  `json:"state"`
	SkillURI    string  `json:"skillUri,omitempty"`
	LanguageURI string  `json:"languageUri,omitempty"`
	SelfURI     string  `json:"selfUri,omitempty"`
}

// ratings shows a user's skills or languages, by name.
func (s *Server) ratings(k Kind, u *User) []wireRated {
	list := []wireRated{}
	from, path := u.Skills, "routingskills"
	if k == Language {
		from, path = u.Languages, "routinglanguages"
	}
	for id, proficiency := range from {
		w := wireRated{ID: id, Name: s.stores[k].nameOf(id), Proficiency: proficiency, State: "active", SelfURI: "/api/v2/users/" + u.ID + "/" + path + "/" + id}
		if k == Skill {
			w.SkillURI = "/api/v2/routing/skills/" + id
		} else {
			w.LanguageURI = "/api/v2/routing/languages/" + id
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b wireRated) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// wirePlace is the API's Location as it reads back: a location is sent by id, and read in
// locationDefinition.
type wirePlace struct {
	Notes       string             `json:"notes,omitempty"`
	Coordinates map[string]float64 `json:"coordinates,omitempty"`
	AddedLater  string             `json:"addedLater,omitempty"`
	Definition  wireRef            `json:"locationDefinition"`
}

func (s *Server) places(u *User) []wirePlace {
	list := []wirePlace{}
	for _, p := range u.Locations {
		list = append(list, wirePlace{p.Notes, p.Coordinates, p.AddedLater, wireRef{p.ID, s.stores[Location].nameOf(p.ID), "/api/v2/locations/" + p.ID}})
	}
	return list
}

func (s *Server) groupsOf(u *User) []wireRef {
	list := []wireRef{}
	for _, g := range s.groupsWith(u.ID) {
		list = append(list, wireRef{g.id, g.name, "/api/v2/groups/" + g.id})
	}
	slices.SortFunc(list, func(a, b wireRef) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// wireAuthorization is UserAuthorization: roles alone, whatever the division, those of groups as well.
type wireAuthorization struct {
	Roles       []wireRole `json:"roles"`
	UnusedRoles []wireRole `json:"unusedRoles"`
	Permissions []string   `json:"permissions"`
	Policies    []any      `json:"permissionPolicies"`
}

type wireRole struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (s *Server) authorization(r *record, now time.Time) wireAuthorization {
	w := wireAuthorization{Roles: []wireRole{}, UnusedRoles: []wireRole{}, Permissions: []string{}, Policies: []any{}}
	roles, allowed := map[string]bool{}, map[string]bool{}
	for _, g := range s.grantsOf(r, now) {
		if roles[g.Role] {
			continue
		}
		roles[g.Role] = true
		w.Roles = append(w.Roles, wireRole{g.Role, s.stores[Role].nameOf(g.Role)})
		if role := s.stores[Role].live(g.Role); role != nil {
			for _, permission := range role.allows {
				allowed[permission] = true
			}
		}
	}
	slices.SortFunc(w.Roles, func(a, b wireRole) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	w.Permissions = slices.AppendSeq(w.Permissions, maps.Keys(allowed))
	slices.Sort(w.Permissions)
	return w
}
