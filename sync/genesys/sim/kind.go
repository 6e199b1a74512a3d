package sim

import "time"

// Kind is a kind of thing that users refer to.
type Kind string

// The kinds.
const (
	Skill      Kind = "skill"
	Language   Kind = "language"
	Division   Kind = "division"
	Role       Kind = "role"
	Queue      Kind = "queue"
	Location   Kind = "location"
	Group      Kind = "group"
	WrapUpCode Kind = "wrap-up code"
	Label      Kind = "label" // of utilization
)

// kinds are all of them.
var kinds = []Kind{Skill, Language, Division, Role, Queue, Location, Group, WrapUpCode, Label}

// unique reports whether a name of a kind is there once. The others may have a name twice.
func (k Kind) unique() bool { return k != Queue && k != Location && k != Group }

// A label is what a listing says of a thing.
type label struct {
	name  string
	there bool
}

// A thing is one that users refer to: a skill, a queue and so on. What was removed is kept, as not there.
type thing struct {
	id string
	label
	past    []oldLabel // for listings that lag behind, oldest first
	version int

	parts     parts    // what else a request said of it
	division  string   // of a queue or a wrap-up code
	codes     []string // of a queue: wrap-up codes
	policy    parts    // of a group: what was changed of its voicemail
	defaultID string   // of a role that every organization has
	allows    []string // the permissions of a role

	members map[string]bool // of a queue or a group, by the user's id: joined or not
	rings   map[string]int  // of a queue, by the user's id: in which ring a member is, if not in the first
	sources []*thing        // groups whose members are this queue's
	feeds   []*thing        // queues whose members this group's are
	grants  []Grant         // of a group, for its members
	given   map[string]bool // of a group, by the user's id: members by a rule or as owners, which requests cannot change
}

type oldLabel struct {
	label
	until time.Time
}

// shown is what a listing that lags behind says of a thing.
func (t *thing) shown(now time.Time, lag time.Duration) label {
	for _, l := range t.past {
		if now.Sub(l.until) < lag {
			return l.label
		}
	}
	return t.label
}

// become changes what is said of a thing.
func (t *thing) become(l label, now time.Time) {
	t.past = append(t.past, oldLabel{t.label, now})
	t.label = l
	t.version++
}

// A store has the things of one kind, in the order in which they were made.
type store struct {
	order []*thing
	byID  map[string]*thing
	of    map[string][]*thing // by user: those that the user is a member of
}

func newStores() map[Kind]*store {
	stores := map[Kind]*store{}
	for _, k := range kinds {
		stores[k] = &store{byID: map[string]*thing{}, of: map[string][]*thing{}}
	}
	return stores
}

// put adds a thing that is not there yet.
func (f *store) put(id string) *thing {
	t := &thing{id: id, version: 1, division: homeDivision, members: map[string]bool{}}
	f.order = append(f.order, t)
	f.byID[id] = t
	return t
}

// live finds a thing that is there.
func (f *store) live(id string) *thing {
	if t := f.byID[id]; t != nil && t.there {
		return t
	}
	return nil
}

// named finds the first thing with a name that is there.
func (f *store) named(name string) *thing {
	for _, t := range f.order {
		if t.there && t.name == name {
			return t
		}
	}
	return nil
}

// nameOf is the name that a thing has or had.
func (f *store) nameOf(id string) string {
	if t := f.byID[id]; t != nil {
		return t.name
	}
	return ""
}
