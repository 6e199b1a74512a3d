// Package digest identifies a plan by its effects: two plans that would do the same have the same digest, whatever the
// files, the words and the state that they come from.
package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"usersyncd/spec"
)

// An Effect is what is done to one user.
type Effect struct {
	User   string  `json:"user"`   // Genesys id; the address of one to be created
	Action string  `json:"action"` // create, restore, update, deactivate, delete, unmanage
	Fields []Field `json:"fields"` // that are written, by name
	Held   string  `json:"held,omitempty"`

	// What follows is not in the digest: where the user is declared, and the id of the hold.
	Email string   `json:"-"`
	Pos   spec.Pos `json:"-"`
	Hold  string   `json:"-"`
}

// A Field is written, or held by the guard of that name.
type Field struct {
	Name   spec.Field `json:"name"`
	Before spec.Value `json:"before"` // "" if it is not known
	After  spec.Value `json:"after"`
	Held   string     `json:"held,omitempty"`
	Hold   string     `json:"-"` // not in the digest
}

// Sum returns "sha256:" and 64 hexadecimal digits. The order of effects and fields does not count.
func Sum(effects []Effect) string {
	lines := make([]string, len(effects))
	for i, e := range effects {
		e.Fields = slices.SortedFunc(slices.Values(e.Fields), func(a, b Field) int { return strings.Compare(string(a.Name), string(b.Name)) })
		line, _ := json.Marshal(e) // texts alone always have JSON
		lines[i] = string(line)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// IsEmpty reports whether a digest, or the short name of one, is that of a plan that does nothing.
func IsEmpty(id string) bool {
	empty := Sum(nil)
	return id == empty || id == Short(empty)
}

// Short is the name of a plan for people: "p-" and the first 8 digits of its digest. It tells plans apart that differ by
// accident; approve a plan by its whole digest.
func Short(digest string) string { return "p-" + strings.TrimPrefix(digest, "sha256:")[:8] }
