// Package plan decides what a pass does. It is pure: [New] takes the desired state (package spec), what is known of
// the organization (package state), a [Policy] and the time, and returns a [Plan]. It reads no clock, does no I/O
// and changes neither of its inputs, so that the same input always gives the same plan.
//
// # From a spec to a change
//
// identity.Match finds the known user behind each declared one. [Plan.Compare] makes the three-way comparison of desired,
// observed and last applied, field by field: every difference has a [Cause]. What only the organization could show to be
// wrong is a [Problem]. removal plans what becomes of managed users whom nobody declares, and asks about what looks like the
// same person under another address. What somebody else keeps changing back is left alone. Then the guards look at all of
// it together, one after the other: what goes too far, a change or some fields of it, is a [Hold] until a person releases
// it. limits count, with what [Plan.Count] has remembered of the last 24 hours; admins is about single accounts, whatever
// their number. Last, the [Schedule] sets apart what waits for a change window.
//
// # What a plan does not know
//
// A plan that depends on something nobody has asked the organization yet says so in [Plan.Lookups]. The caller asks,
// and makes the plan again with the [LookupResults].
//
// # The packages below
//
//   - identity: the index of known users, and who a declared user is.
//   - reference: whom declared users refer to, such as their managers, and whether somebody is there.
//   - access: what a field's value gives to a user, and what another one takes away.
//   - contest: which fields somebody else keeps changing back.
//   - tally: what was done within the last 24 hours.
//   - window: change windows, in time zones.
//
// They know nothing of plans and changes, and do not import this package.
package plan
