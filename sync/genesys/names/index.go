package names

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
	"usersyncd/spec/text"
)

// An Entity is something that users refer to by name: a skill, a queue, and so on. Some of its fields are those of one
// kind alone.
type Entity struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	State   string          `json:"state"`        // of skills and languages: active, inactive, deleted
	Home    bool            `json:"homeDivision"` // of divisions
	Version json.RawMessage `json:"version"`      // a number, of groups; a text, of skills

	// Of queues: all members, and those who are not members through a group.
	Members *int `json:"memberCount"`
	Users   *int `json:"userMemberCount"`
}

// Key implements api.Entry.
func (e Entity) Key() string { return e.ID }

// Check implements api.Checked.
func (e Entity) Check() error {
	if e.ID == "" {
		return errors.New("an entry without an id")
	}
	return nil
}

// GroupVersion is a group's version, or 0 if it has none.
func (e Entity) GroupVersion() int {
	n, _ := strconv.Atoi(string(e.Version))
	return n
}

// An Index finds the ids of names, and the names of ids, among all entities of one kind. A name that several have is
// written "Name (id)"; that form is understood of any.
type Index struct {
	ByID   map[string]*Entity
	ByName map[string][]*Entity
	Home   string               // id of the home division
	Read   time.Time            // when it was read
	Missed map[string]time.Time // names that were looked for in vain, and when

	kind      spec.RefKind
	plural    string
	sorted    []string // names, once one is suggested
	suggested int      // how often one was looked for
}

// NewIndex returns an index of the entities. plural is what they are called in messages.
func NewIndex(kind spec.RefKind, plural string, entities []Entity, now time.Time) *Index {
	x := &Index{
		ByID: make(map[string]*Entity, len(entities)), ByName: make(map[string][]*Entity, len(entities)),
		Read: now, Missed: map[string]time.Time{}, kind: kind, plural: plural,
	}
	for i := range entities {
		e := &entities[i]
		if strings.EqualFold(e.State, "deleted") || x.ByID[e.ID] != nil {
			continue
		}
		e.Name = spec.Text(e.Name).Text() // as a spec would have it
		x.ByID[e.ID] = e
		x.ByName[e.Name] = append(x.ByName[e.Name], e)
		if e.Home {
			x.Home = e.ID
		}
	}
	return x
}

func withID(name, id string) string { return name + " (" + id + ")" }

// Label is what a spec calls the entity. One that the index does not have keeps its id in its name.
func (x *Index) Label(id, name string) string {
	e := x.ByID[id]
	switch {
	case e == nil:
		return withID(name, id)
	case len(x.ByName[e.Name]) > 1:
		return withID(e.Name, id)
	}
	return e.Name
}

// Find returns the id that a name means, or what is wrong with it.
func (x *Index) Find(name string) (id, wrong string) {
	same := x.ByName[name]
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
			len(same), x.plural, spec.Text(name).Display(), strings.Join(forms, " or "))
	}
	if id := IDIn(name); x.ByID[id] != nil {
		if label := x.Label(id, ""); label != name {
			return "", fmt.Sprintf("that %s is called %s; write it so", x.kind, spec.Text(label).Display())
		}
		return id, ""
	}
	return "", x.unknown(name)
}

// IDIn is the id in a name of the form "Name (id)"; "" if there is none.
func IDIn(name string) string {
	if open := strings.LastIndex(name, " ("); open >= 0 && strings.HasSuffix(name, ")") {
		return name[open+2 : len(name)-1]
	}
	return ""
}

// maxSuggested is for how many unknown names a similar one is looked for: each is compared with all names.
const maxSuggested = 100

func (x *Index) unknown(name string) string {
	message := fmt.Sprintf("no %s is called %s", x.kind, spec.Text(name).Display())
	if near := x.suggest(name); near != "" {
		return message + "; did you mean " + spec.Text(near).Display() + "?"
	}
	return message + ", or the OAuth client may not see it; correct it, or make one of that name in Genesys Cloud"
}

// suggest returns a name that differs in case, else one that is similar; "" if there is none.
func (x *Index) suggest(name string) string {
	if x.suggested++; x.suggested > maxSuggested {
		return ""
	}
	if x.sorted == nil {
		x.sorted = slices.Sorted(maps.Keys(x.ByName))
	}
	if i := slices.IndexFunc(x.sorted, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return x.sorted[i]
	}
	return text.Suggest(name, x.sorted)
}
