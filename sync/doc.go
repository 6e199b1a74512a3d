// Package sync makes a Genesys Cloud organization match a directory of user specs. Its name is also that of a standard
// package, so import it as usersync:
//
//	import usersync "usersyncd/sync"
//
// # One edit
//
// [Reconciler.Reconcile] makes one pass. It is level triggered: a pass acts on what is there when it runs, so an event that was
// lost, a crash or a call without an answer is found by the next pass.
//
//	load.go      scan and load the whole checkout; done if it is known to be applied
//	refresh.go   read the organization, if due, into a state.Snapshot (refresher)
//	lookups.go   package plan: plan.New compares desired, observed and applied, and is repeated until it needs no lookups;
//	             details.go reads detail fields, which no listing shows
//	pass.go      package apply: apply.Run carries the plan out, call by call, through a Directory (package genesys)
//	result.go    the Result; status.go has the Status and View for other goroutines, lastpass.go what the state file keeps of it
//
// explain.go, export.go and rollback.go are the other operations.
//
// # One answer
//
// genesys classifies it (an [apply.CallError] or what is now known of the user), apply moves the user's job on, and commits the
// user, the history, the guards' tallies and the cleared intents to the state file, then Status is updated. What each kind of
// change means to the record and to the guards is asked of the plan ([plan.Plan.Event], [plan.Plan.Count]).
//
// # One interruption
//
// When the input of a pass changes (the checkout, settings, a command), it is interrupted, see [Reconciler.Interrupt] and
// [Reconciler.Recheck]: no further change is begun, writes in flight are awaited for at most 20 seconds and recorded, and the
// next pass plans again. When a change window opens or closes, the pass itself makes another plan. SIGTERM ends the context of
// the pass: it ends in the same way, a listing is given up as well, and no pass follows.
//
// # Invariants
//
//   - Only declared fields of declared users are written. Only managed users that are no longer declared are removed, if the
//     tree is complete and two scans of it are equal, within the limits of the guards.
//   - Calls of one user never overlap. Calls of different users do, lower lanes first ([plan.Lane]).
//   - Every call is preceded by an intent in the state file, and its result is recorded before the next call of the user.
//   - A call whose result is unknown is not sent again before the user is read and compared, unless it is
//     [apply.Call.Repeatable]; a creation not before the address is looked up.
//   - A reading within plan.ReadLag of a write without a version is not reliable.
//   - A user that fails does not stop the others; it is in quarantine, with its own backoff.
package sync
