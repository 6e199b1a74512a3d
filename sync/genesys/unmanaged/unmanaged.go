// Package unmanaged keeps what the API shows within a user's objects and no spec manages. A PATCH replaces such an object as a
// whole, so that these parts are sent back as they were, known here or not.
package unmanaged

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"sync"
)

// Parts are those of one user.
type Parts struct {
	Addresses json.RawMessage    `json:"addresses"`              // the whole list of contacts: see package contact
	Employer  Members            `json:"employerInfo,omitempty"` // of EmployerInfo
	Locations map[string]Members `json:"locations,omitempty"`    // of each Location, by the id that it refers to
}

// Members of a JSON object, as they came.
type Members map[string]json.RawMessage

// of returns the members of an object that are not null, apart from those that are managed or only read.
func of(object map[string]json.RawMessage, others ...string) Members {
	rest := Members{}
	for name, raw := range object {
		if !slices.Contains(others, name) && string(raw) != "null" {
			rest[name] = raw
		}
	}
	return rest
}

// With returns the members and an object's own, which win.
func (m Members) With(object any) (Members, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	all := Members{}
	maps.Copy(all, m)
	return all, json.Unmarshal(data, &all)
}

// Parse reads what Opaque wrote. What it cannot read has no parts.
func Parse(opaque json.RawMessage) (p Parts) {
	if !bytes.HasPrefix(opaque, []byte("{")) {
		return Parts{Addresses: opaque}
	}
	if json.Unmarshal(opaque, &p) != nil {
		return Parts{}
	}
	return p
}

// Opaque is what is kept in the state file: the contacts alone where there is nothing else.
func (p Parts) Opaque() json.RawMessage {
	if len(p.Employer)+len(p.Locations) == 0 {
		return p.Addresses
	}
	data, err := json.Marshal(p)
	if err != nil { // nothing that was decoded cannot be encoded
		return p.Addresses
	}
	return data
}

// Known has the parts of users, as far as they have any besides contacts. Answers that do not show an object leave its parts as
// they were.
type Known struct {
	mu   sync.Mutex
	byID map[string]Parts
}

// Reset forgets everything.
func (k *Known) Reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID = map[string]Parts{}
}

// Put takes in what the state file has of a user.
func (k *Known) Put(id string, opaque json.RawMessage) {
	if p := Parse(opaque); len(p.Employer)+len(p.Locations) > 0 {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.byID[id] = p
	}
}

// Of returns what is known of a user.
func (k *Known) Of(id string) Parts {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byID[id]
}

// Learn takes in what an answer shows of a user, and returns what is then known. What is nil is not shown.
func (k *Known) Learn(id string, addresses, employer, locations json.RawMessage) (Parts, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.byID[id]
	p.Addresses = addresses
	if shown(employer) {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(employer, &object); err != nil {
			return p, err
		}
		p.Employer = of(object, "officialName", "employeeId", "employeeType", "dateHire")
	}
	if shown(locations) {
		var list []map[string]json.RawMessage
		if err := json.Unmarshal(locations, &list); err != nil {
			return p, err
		}
		p.Locations = map[string]Members{}
		for _, object := range list {
			var at struct {
				ID string `json:"id"`
			}
			if json.Unmarshal(object["locationDefinition"], &at) != nil {
				_ = json.Unmarshal(object["id"], &at.ID) // as it is written
			}
			if rest := of(object, "id", "notes", "locationDefinition", "floorplanId"); len(rest) > 0 {
				p.Locations[at.ID] = rest
			}
		}
	}
	delete(k.byID, id)
	if len(p.Employer)+len(p.Locations) > 0 {
		k.byID[id] = p
	}
	return p, nil
}

func shown(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }
