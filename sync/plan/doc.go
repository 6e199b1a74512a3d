// Package plan decides what a pass does. It is pure: [New] takes the desired state (package spec), what is known of the
// organization (package state), a [Policy] and the time, and returns a [Plan]. It reads no clock, does no I/O and changes
// none of its inputs, so the same input always gives the same plan.
//
// # From a spec to a change
//
//	identity.Match     the known user of each declared one
//	Plan.Compare       desired, observed and last applied, field by field: each difference has a Cause
//	removal            managed users that are no longer declared; what looks like a rename is held
//	references         whether the users that fields refer to exist; a Problem withholds the field
//	contest            what somebody else keeps changing back is withheld
//	guards             what exceeds a limit, a change or some fields of it, is a Hold until a person releases it
//	Schedule           what waits for a change window is deferred
//
// limits.go counts, with what [Plan.Count] has recorded within 24 hours; admins.go is about single accounts, in any number.
//
// A plan that depends on something that was not looked up yet says so in [Plan.Lookups]. The caller looks it up, and makes
// the plan again with the [LookupResults].
//
// # The packages below
//
//   - identity: the index of known users, and the match of declared ones.
//   - reference: the users that declared users refer to, such as their managers.
//   - access: what a field's value gives to a user, and what another value takes away.
//   - contest: which fields somebody else keeps changing back.
//   - tally: what was done within the last 24 hours.
//   - window: change windows, in time zones.
//
// They know nothing of plans and changes, and do not import this package.
package plan
