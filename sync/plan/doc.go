// Package plan decides what a pass does. It is pure: [New] takes the desired state (package spec), what is known of
// the organization (package state), a [Policy] and the time, and returns a [Plan]. It reads no clock, does no I/O
// and changes neither of its inputs, so that the same input always gives the same plan.
//
// # From a spec to a change
//
// match finds the known user behind each declared one. compare makes the three-way comparison of desired, observed
// and last applied, field by field: every difference has a [Cause]. check finds what only the organization could
// show to be wrong, and references whom a spec refers to. removal plans what becomes of managed users whom nobody
// declares; rename asks about what looks like the same person under another address. contest leaves alone what somebody
// else keeps changing back. Then the guards look at all of it together, one after the other: what goes too far, a
// change or some fields of it, is a [Hold] until a person releases it. limits and losses count, with what [Plan.Count]
// has remembered of the last 24 hours; admins is about single accounts, whatever their number. Last, the [Schedule] sets
// apart what waits
// for a change window.
//
// # What a plan does not know
//
// A plan that depends on something nobody has asked the organization yet says so in [Plan.Lookups]. The caller asks,
// and makes the plan again with the [LookupResults].
package plan
