package plan

import (
	"usersyncd/spec"
)

// LookupResults is what the organization was asked for a plan, beside the listing, and what it said. The zero
// value has asked nothing.
type LookupResults struct {
	Names   map[spec.Ref]string // asked for: what is wrong with the name, "" for nothing
	Unread  map[string]error    // by id: users whose unknown fields were asked for; why not, if they could not be read
	Looked  map[string]bool     // pinned ids of nobody known that were looked up
	Admins  []string            // ids of those who have an administrator's role, if
	Counted bool                // that was asked for
	NoCount error               // why it could not be told
}

// Lookups is what a plan still has to know before anything may be sent.
type Lookups struct {
	Names  map[spec.Ref]bool
	Fields map[string][]spec.Field // by id: unknown ones
	IDs    []string                // pinned ones, of users who are not known
	Admins bool
}

// NeedsLookups reports whether something is to be asked before the plan is complete.
func (p *Plan) NeedsLookups() bool { return !p.Lookups.none() }

func (a *Lookups) none() bool { return len(a.Names)+len(a.Fields)+len(a.IDs) == 0 && !a.Admins }
