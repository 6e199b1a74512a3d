// Package saved is a plan in a file, for a later run to do exactly that: its format, and what of a later plan is in it. It
// opens no file.
//
// A file without values has hashes instead. The ids of the organization and of the user are in each: only who can read the
// organization knows them, so nobody else finds out a value by trying some. A random salt is in them, too, so that nobody can
// compare two files.
package saved

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/plan/digest"
)

// Schema names the format.
const Schema = "usersyncd.plan/v1"

// Plan is what the file holds.
type Plan struct {
	Schema   string            `json:"schema"`
	ID       string            `json:"id"`     // the beginning of Digest, for people
	Digest   string            `json:"digest"` // see package digest
	Created  time.Time         `json:"created"`
	Program  string            `json:"program"` // the version that made it
	Org      Org               `json:"org"`
	Dir      string            `json:"dir"`            // of the specs, as it was given
	Revision string            `json:"revision"`       // of the specs
	Settings map[string]string `json:"settings"`       // that decide what is to be changed; hashes in a file without values
	Salt     string            `json:"salt,omitempty"` // of the hashes; only a file without values has one
	Changes  []Change          `json:"changes"`
	Holds    []Hold            `json:"holds"`
	Calls    int               `json:"calls"`
	Seconds  float64           `json:"seconds"` // that they take, about

	orgID string          // the key of the hashes
	index map[string]hold // by entry: what held the change or the field, if anything did
}

// Org is the organization that the plan is of.
type Org struct {
	ID   string `json:"id,omitempty"` // a hash in a file without values; "" if it may not be read
	Name string `json:"name,omitempty"`
	API  string `json:"api"` // base URL
}

// Change is what is done to one user.
type Change struct {
	User   string  `json:"id,omitempty"` // Genesys id; none for one that is created
	Email  string  `json:"email,omitempty"`
	File   string  `json:"file,omitempty"`
	Line   int     `json:"line,omitempty"`
	Action string  `json:"action"` // create, restore, update, deactivate, delete, unmanage
	Fields []Field `json:"fields"`
	Held   string  `json:"held,omitempty"` // name of the guard that holds all of it
	Hold   string  `json:"hold,omitempty"` // what releases it
	Hash   string  `json:"hash,omitempty"` // of user and action, in a file without values
}

// Field is one field that is written.
type Field struct {
	Field  spec.Field      `json:"field"`
	Before json.RawMessage `json:"before,omitempty"` // null if it was not known
	After  json.RawMessage `json:"after,omitempty"`
	Held   string          `json:"held,omitempty"`
	Hold   string          `json:"hold,omitempty"`
	Hash   string          `json:"hash,omitempty"` // of user, action, field and values, in a file without values
}

// Hold is what one guard held.
type Hold struct {
	ID     string   `json:"id"`
	Guard  string   `json:"guard"`
	Users  []string `json:"users,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// New returns the plan of some effects. What else the file has is the caller's to set.
func New(effects []digest.Effect) *Plan {
	p := &Plan{Schema: Schema, Digest: digest.Sum(effects), Changes: make([]Change, 0, len(effects)), Holds: []Hold{}}
	p.ID = digest.Short(p.Digest)
	for _, e := range effects {
		c := Change{User: e.User, Email: e.Email, File: e.Pos.File, Line: e.Pos.Line, Action: e.Action, Held: e.Held, Hold: e.Hold, Fields: make([]Field, 0, len(e.Fields))}
		if c.creates() {
			c.User = ""
		}
		for _, f := range e.Fields {
			c.Fields = append(c.Fields, Field{Field: f.Name, Before: f.Before.RawJSON(), After: f.After.RawJSON(), Held: f.Held, Hold: f.Hold})
		}
		p.Changes = append(p.Changes, c)
	}
	p.buildIndex()
	return p
}

func (c *Change) creates() bool { return c.Action == "create" }

// user identifies the user, as in an effect.
func (c *Change) user() string {
	if c.creates() {
		return c.Email
	}
	return c.User
}

// HasValues reports whether the plan has values, and not only their hashes.
func (p *Plan) HasValues() bool { return p.Salt == "" }

// WithoutValues returns the plan without values, and without what names a person.
func (p *Plan) WithoutValues() *Plan {
	next := *p
	next.orgID, next.Salt = p.Org.ID, rand.Text()
	next.Org = Org{API: p.Org.API}
	if p.Org.ID != "" {
		next.Org.ID = next.entry("org")
	}
	next.Settings = make(map[string]string, len(p.Settings))
	for name, value := range p.Settings {
		next.Settings[name] = next.entry("setting", name, value)
	}
	next.Changes = make([]Change, len(p.Changes))
	for i, c := range p.Changes {
		hashed := Change{Action: c.Action, Held: c.Held, Hold: c.Hold, Hash: next.entry(changeParts(c.user(), c.Action)...), Fields: make([]Field, len(c.Fields))}
		for j, f := range c.Fields {
			hashed.Fields[j] = Field{Field: f.Field, Held: f.Held, Hold: f.Hold, Hash: next.entry(fieldParts(c.user(), c.Action, f.Effect())...)}
		}
		next.Changes[i] = hashed
	}
	slices.SortFunc(next.Changes, func(a, b Change) int { return cmp.Compare(a.Hash, b.Hash) }) // their order was that of the addresses
	next.Holds = make([]Hold, len(p.Holds))
	for i, h := range p.Holds {
		next.Holds[i] = Hold{ID: h.ID, Guard: h.Guard}
	}
	next.buildIndex()
	return &next
}

// Effect is the field as the digest has it.
func (f *Field) Effect() digest.Field {
	return digest.Field{Name: f.Field, Before: spec.FromRawJSON(f.Before), After: spec.FromRawJSON(f.After), Held: f.Held, Hold: f.Hold}
}

func (p *Plan) effects() []digest.Effect {
	all := make([]digest.Effect, len(p.Changes))
	for i, c := range p.Changes {
		all[i] = digest.Effect{User: c.user(), Action: c.Action, Held: c.Held, Hold: c.Hold}
		for _, f := range c.Fields {
			all[i].Fields = append(all[i].Fields, f.Effect())
		}
	}
	return all
}
