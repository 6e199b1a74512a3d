package plan

import (
	"errors"
	"fmt"

	"usersyncd/spec"
)

// ErrUnshown is why a user could not be read who was created so recently that it is no news if the API does not show it.
var ErrUnshown = errors.New("it was created a moment ago, and the API does not show it yet")

// Lookups is what a plan still has to know before anything may be sent.
type Lookups struct {
	Names  map[spec.Ref]bool
	Fields map[string][]spec.Field // by id: unknown ones
	IDs    []string                // pinned ones, of users who are not known
	Fresh  map[string]bool         // ids of known users who must be read in this very pass
	Emails map[string]bool         // keys: addresses of users whom no listing shows, deleted ones
	Admins bool
}

func newLookups() Lookups {
	return Lookups{Names: map[spec.Ref]bool{}, Fields: map[string][]spec.Field{}, Fresh: map[string]bool{}, Emails: map[string]bool{}}
}

// LookupResults is what the organization was asked for a plan, beside the listing, and what it said. The zero
// value has asked nothing.
type LookupResults struct {
	Names    map[spec.Ref]string // asked for: what is wrong with the name, "" for nothing
	Unread   map[string]error    // by id: users whose unknown fields were asked for; why not, if they could not be read
	Looked   map[string]bool     // pinned ids of nobody known that were looked up
	Fresh    map[string]error    // ids that were to be read in this pass: why they could not be, nil for those that were
	Searched map[string]error    // addresses that were looked up: why they could not be, nil for those that were
	Admins   []string            // ids of those who have an administrator's role, if
	Counted  bool                // that was asked for
	NoCount  error               // why it could not be told
	// Urgent leaves fields out that are not known instead of asking for them: reading them may take hours, and what is
	// urgent needs none of it. See Plan.Urgent.
	Urgent bool
}

// NeedsLookups reports whether something is to be asked before the plan is complete.
func (p *Plan) NeedsLookups() bool { return p.Lookups.needsQuick() || len(p.Lookups.Fields) > 0 }

// needsQuick reports whether there is anything but the fields of single users to ask for.
func (l *Lookups) needsQuick() bool {
	return len(l.Names)+len(l.IDs)+len(l.Fresh)+len(l.Emails) > 0 || l.Admins
}

// Quick returns the look-ups without those that take a request or more for each user; false if there are no others.
func (l Lookups) Quick() (Lookups, bool) {
	quick := l.needsQuick()
	l.Fields = nil
	return l, quick
}

// mostSearched is how many addresses of users to be created are looked up to tell whom it will restore.
const mostSearched = 500

// lookUpMissing asks which of the users who are to be created exist, and are deleted: they will be restored.
func (p *planner) lookUpMissing() {
	if !p.policy.LookUpMissing {
		return
	}
	missing := p.planned(func(c *Change) bool { return c.Action == Create })
	if len(missing) > mostSearched {
		p.Notes = append(p.Notes, fmt.Sprintf("%d users are to be created, too many to look each up: those who were deleted before will be restored instead", len(missing)))
		return
	}
	failed, why := 0, error(nil)
	for _, c := range missing {
		switch err, asked := p.answers.Searched[c.Key]; {
		case !asked:
			p.Lookups.Emails[c.Key] = true
		case err != nil:
			failed, why = failed+1, err
		}
	}
	if failed > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s to be created: it cannot be told who was deleted before, and will be restored instead: %v", number(failed, "user"), why))
	}
}
