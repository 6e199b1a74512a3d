package genesys

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"usersyncd/spec"
)

// allDivisions is the id of every division together, in a grant. It is what specs call them, too.
const allDivisions = spec.AllDivisions

// An entity is something that users refer to by name: a skill, a queue, and so on. Its further fields are
// those of the kinds that have them.
type entity struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	State   string          `json:"state"`        // of skills and languages: active, inactive, deleted
	Home    bool            `json:"homeDivision"` // of divisions
	Version json.RawMessage `json:"version"`      // a number, of groups; a text, of skills

	// Of queues: all members, and those who are not there through a group.
	Members *int `json:"memberCount"`
	Users   *int `json:"userMemberCount"`
}

func (e entity) key() string { return e.ID }

func (e entity) check() error {
	if e.ID == "" {
		return errors.New("an entry without an id")
	}
	return nil
}

// version is a group's, or 0 if it has none.
func (e *entity) version() int {
	n, _ := strconv.Atoi(string(e.Version))
	return n
}

// A shelf says where the entities of a kind are listed. The page sizes are those that the vendor's Terraform
// provider uses.
type shelf struct {
	path     string
	pageSize int
	needs    string
	plural   string
}

func shelfOf(kind spec.Kind) shelf {
	switch kind {
	case spec.KindSkill:
		return shelf{"/api/v2/routing/skills", 500, "routing:skill:view", "skills"}
	case spec.KindLanguage:
		return shelf{"/api/v2/routing/languages", 100, "routing:language:view", "languages"}
	case spec.KindDivision:
		return shelf{"/api/v2/authorization/divisions", 100, "authorization:division:view", "divisions"}
	case spec.KindRole:
		return shelf{"/api/v2/authorization/roles", 100, mayViewRoles, "roles"}
	case spec.KindQueue:
		return shelf{"/api/v2/routing/queues", 500, mayViewQueues, "queues"}
	case spec.KindLocation:
		return shelf{"/api/v2/locations", 100, "", "locations"}
	}
	return shelf{"/api/v2/groups", 500, "directory:group:view", "groups"}
}

// A catalogue is every entity of one kind. A name that several have is written "Name (id)"; that form is
// understood of any.
type catalogue struct {
	kind   spec.Kind
	read   time.Time
	byID   map[string]*entity
	byName map[string][]*entity // by the name as a spec would have it
	labels map[string]string    // by id
	home   string               // id of the home division
	missed map[string]time.Time
}

func newCatalogue(kind spec.Kind, entities []entity, now time.Time) *catalogue {
	c := &catalogue{kind: kind, read: now, byID: make(map[string]*entity, len(entities)),
		byName: make(map[string][]*entity, len(entities)), labels: make(map[string]string, len(entities)), missed: map[string]time.Time{}}
	for i := range entities {
		e := &entities[i]
		if strings.EqualFold(e.State, "deleted") || c.byID[e.ID] != nil {
			continue
		}
		name, _ := spec.Decode[string](spec.Text(e.Name)) // as a spec would have it
		c.byID[e.ID] = e
		c.byName[name] = append(c.byName[name], e)
		if e.Home {
			c.home = e.ID
		}
	}
	for name, same := range c.byName {
		for _, e := range same {
			if c.labels[e.ID] = name; len(same) > 1 {
				c.labels[e.ID] = withID(name, e.ID)
			}
		}
	}
	return c
}

func withID(name, id string) string { return name + " (" + id + ")" }

// label is what a spec calls the entity. One that the catalogue does not have keeps its id in its name.
func (c *catalogue) label(id, name string) string {
	if l, ok := c.labels[id]; ok {
		return l
	}
	return withID(name, id)
}

// find returns the id that a name means, or what is wrong with it.
func (c *catalogue) find(name string) (id, wrong string) {
	same := c.byName[name]
	switch {
	case len(same) == 1:
		return same[0].ID, ""
	case len(same) > 1:
		var forms []string
		for _, e := range same {
			forms = append(forms, spec.Text(withID(name, e.ID)).Display())
		}
		slices.Sort(forms)
		return "", fmt.Sprintf("%d %s are called %s; write the one that is meant as %s",
			len(same), shelfOf(c.kind).plural, spec.Text(name).Display(), strings.Join(forms, " or "))
	}
	if id := idIn(name); c.byID[id] != nil {
		if label := c.labels[id]; label != name {
			return "", fmt.Sprintf("that %s is called %s; write it so", c.kind, spec.Text(label).Display())
		}
		return id, ""
	}
	return "", c.unknown(name)
}

// idIn is the id in a name of the form "Name (id)"; "" if there is none.
func idIn(name string) string {
	if open := strings.LastIndex(name, " ("); open >= 0 && strings.HasSuffix(name, ")") {
		return name[open+2 : len(name)-1]
	}
	return ""
}

func (c *catalogue) unknown(name string) string {
	candidates := slices.Sorted(maps.Keys(c.byName))
	message := fmt.Sprintf("no %s is called %s", c.kind, spec.Text(name).Display())
	near := spec.Suggest(name, candidates)
	if i := slices.IndexFunc(candidates, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		near = candidates[i]
	}
	if near != "" {
		return message + "; did you mean " + spec.Text(near).Display() + "?"
	}
	return message + "; correct it, or make one of that name in Genesys Cloud"
}
