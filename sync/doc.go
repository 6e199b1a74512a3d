// Package sync reconciles: it makes a Genesys Cloud organization look like a directory of user specs.
// Import it as usersync, since its name is also that of a standard package:
//
//	import usersync "usersyncd/sync"
//
// # The idea
//
// [Reconciler.Reconcile] makes one pass and is the whole program in one function: load the specs,
// refresh what is known of the organization if that is due, plan, apply, report. It is level
// triggered: a pass acts on what is there when it runs, so an event that was lost, a crash or a call
// without an answer is found again by the next pass.
//
// # One interruption
//
// A pass whose premises have changed ends early, see [Reconciler.Interrupt] and [Reconciler.Recheck]: what is in flight
// is awaited and recorded, nothing else is begun, and the next pass plans again from what is true then. When a change
// window opens or closes, the pass goes on itself, with another plan. There is no other way to influence a pass
// under way.
//
// # The words
//
// Desired is what the specs say, observed what the API last told, applied what was last written or
// found equal. Package plan compares the three and decides what is to be done: a [plan.Change] is one user
// that differs. Package apply carries that out: an [apply.Call] is one request, for one user or for many. A [Directory]
// turns the first into the second, and knows the wire: the [Reader] half is for planning, the [apply.Writer] half for
// applying. This package and those two know no HTTP.
//
// Detail fields are the fields that no listing shows. They are asked for when a plan turns out to need them, and
// read again in turns.
//
// # What holds
//
//   - Only declared fields of declared users are ever written; a field that is not declared is not managed.
//   - Every call is preceded by an intent in the state file, and its outcome is recorded before the next call of
//     the user. Killed in between, the next pass reads what the call may have written before it compares.
//   - The calls of one user never overlap. Calls of different users do, lower lanes first.
//   - A call whose outcome is unknown is never repeated blindly: the user is read and compared first. (Calls
//     that are [apply.Call.Repeatable] set the same again, and are sent again.) A
//     creation is preceded by an intent in the state file, and repeated only after the address was looked up.
//   - What is written without a version is read late: within plan.ReadLag of a write of ours no reading of such a field
//     is believed, whoever reads it.
//   - One bad user never stops the others; it waits in quarantine, with a backoff of its own. A call for
//     many that is refused is made for each half of them.
//   - Nobody is removed but managed users who are declared no longer, in a tree that is whole, clean and
//     seen twice the same, and no more of them in a day than the configuration allows.
package sync
