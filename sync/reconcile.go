package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Reconciler makes the organization look like the checkout, one pass at a time. Fields are set once,
// before the first pass; only Status may be used while a pass is running.
type Reconciler struct {
	Specs     *spec.Loader
	Store     *state.Store
	Directory Directory
	API       string // base URL: a state file belongs to one organization of one API
	Policy    plan.Policy
	Retry     Retry
	SearchLag time.Duration // how long the directory's Find may not see a new user
	Workers   int           // requests under way at once, at most
	Refresh   time.Duration // how old a reading of the organization may become
	Settings  string        // whatever else a converged tree depends on
	Log       *slog.Logger
	Rand      *rand.Rand // jitter

	status   atomic.Pointer[Status]
	view     atomic.Pointer[View]
	loaded   atomic.Pointer[spec.Tree]   // that was read last, for Explain
	policy   atomic.Pointer[plan.Policy] // of the pass that has begun last, for Explain
	standing Standing
	refused  bool                     // the API has refused the credentials, and accepted none since
	seen     string                   // digest of the last tree that two looks agreed on
	failures map[string]state.Failure // as the pass found them

	contested []plan.Contest // as the last pass that had a plan left them
}

// Retry says how a call without a usable answer is repeated, within one pass.
type Retry struct {
	Max              int           // times
	MinWait, MaxWait time.Duration // after the first, and at most
	No5xx            bool          // not after an answer 5xx: the user is read, and fails if it was not changed
}

// Mode says what a pass is for.
type Mode struct {
	Strict    bool // refuse a tree with problems, instead of leaving out the users that have them
	DryRun    bool // plan, and change nothing: not there, not in the state file
	NoRefresh bool // trust what is known, unless nothing is
	Reread    bool // refresh, however recent the last reading
	// Release are ids of what guards hold, which a person lets through in this pass.
	Release []string
}

// A checkout that is being changed is tried again for this long, in all.
const (
	stillTries = 10
	stillWait  = 500 * time.Millisecond
	// Two looks at a tree that is news are so far apart.
	secondLook = 200 * time.Millisecond
)

// ErrProblems is returned for a tree that a strict pass refuses; it is a *ProblemsError.
var ErrProblems = errors.New("the specs have problems")

// Reconcile makes one pass:
//
//	1 load     the whole checkout, and nothing else if it is as it was when it was last fully applied
//	2 refresh  what is known of the organization, when due
//	3 plan     compare desired, observed and last applied
//	4 apply    what differs, call by call, each with its commit
//	5 report
//
// It acts on what is there now, never on what an event said. The Result holds what was done even
// when the error says why the pass ended early.
func (r *Reconciler) Reconcile(ctx context.Context, mode Mode) (*Result, error) {
	res, err := r.pass(ctx, mode)
	for try := 1; errors.Is(err, spec.ErrMoved) && try < stillTries; try++ {
		// Somebody is checking out; nothing was written yet. It rarely takes a second.
		timer := time.NewTimer(stillWait)
		select {
		case <-timer.C:
			res, err = r.pass(ctx, mode)
		case <-ctx.Done():
			timer.Stop()
			err = ctx.Err()
		}
	}
	r.standing.Passes++
	r.refused = r.refused || errors.Is(err, ErrUnauthorized)
	s := r.Status()
	s.Phase, s.Err = "idle", err
	switch {
	case err == nil:
		r.standing.Success, r.standing.Trouble = time.Now(), nil
	case ctx.Err() == nil:
		r.standing.Ailing++
		r.standing.Trouble = err
	}
	r.set(s)
	return res, err
}

func (r *Reconciler) pass(ctx context.Context, mode Mode) (*Result, error) {
	began := time.Now()
	policy := r.Policy
	r.policy.Store(&policy)
	before := r.Status()
	r.set(Status{Phase: "scan", Began: began, Users: before.Users, InSync: before.InSync, Revision: before.Revision})
	scan, err := r.Specs.Scan(ctx)
	if err != nil {
		return nil, err
	}
	meta, err := r.Store.Meta()
	if err != nil {
		return nil, err
	}
	r.standing.Refresh, r.standing.LastApplied, r.standing.Paused = meta.Refresh.At, meta.Applied, meta.Pause
	r.standing.Damaged = max(r.standing.Damaged, uint64(meta.Damaged))
	age := began.Sub(meta.Refresh.At) // negative if the clock was set back
	refresh := mode.Reread || !mode.NoRefresh && (age >= r.Refresh || age < 0) || meta.Refresh.At.IsZero()
	mark := scan.Digest + " " + r.Settings
	if c := meta.Converged; !refresh && len(mode.Release) == 0 && c != nil && c.Digest == mark && meta.Writes == 0 {
		if err := r.authorized(ctx); err != nil {
			return nil, err
		}
		if a := meta.Applied; a == nil || a.Revision != scan.Revision { // a commit that changes no spec
			if err := r.converged(mark, scan.Revision, c.Users, state.Commit{}, mode.DryRun); err != nil {
				return nil, err
			}
		}
		return r.report(began, mode, scan.Revision, &plan.Plan{ID: "p-0", Unchanged: c.Users, Notes: scan.Gaps(), Contested: plan.StillContested(r.contested, began)}, nil), nil
	}

	if scan, err = r.lookAgain(ctx, scan); err != nil {
		return nil, err
	}
	tree, err := r.Specs.Load(ctx, scan)
	if err != nil {
		return nil, err
	}
	r.loaded.Store(tree)
	problems, invalid := tree.Problems, error(nil)
	if mode.Strict && len(tree.Problems) > 0 {
		if !plan.Leavers(tree) {
			return nil, &ProblemsError{tree.Problems}
		}
		policy.LeaversOnly = true // and then it is refused
		problems, invalid = nil, &ProblemsError{tree.Problems}
	}
	if len(r.Policy.Select.Only) > 0 {
		declared := make(map[string]bool, len(tree.Users))
		for _, u := range tree.Users {
			declared[u.Key] = true
		}
		if err := r.Policy.Select.Check(declared); err != nil {
			return nil, err
		}
	}
	unread := func(err error) error { // the problems are told all the same
		if invalid == nil {
			return err
		}
		r.Log.Warn("users who are to be inactive cannot be looked at", "error", err)
		return errors.Join(invalid, err)
	}
	snap, err := r.Store.Snapshot()
	if err != nil {
		return nil, unread(err)
	}
	r.failures = snap.Failures
	snap.Requests = append(snap.Requests, mode.Release...)
	if err := r.awaitWrites(ctx, snap, mode); err != nil {
		return nil, unread(err)
	}
	now := time.Now()
	fields := r.inUse(tree, snap)
	refresh = refresh || !r.covers(snap.Refresh, fields)
	bind := r.binder(ctx, snap)

	if refresh {
		r.set(Status{Phase: "refresh", Began: began, Users: len(tree.Users), InSync: before.InSync, Revision: tree.Revision})
		if err := bind(); err != nil {
			return nil, unread(err)
		}
		if err := r.refresh(ctx, snap, fields, mode.DryRun); err != nil {
			return nil, unread(err)
		}
	}

	p, err := r.plan(ctx, tree, snap, policy, now, bind, mode.DryRun)
	if err != nil {
		return nil, unread(err)
	}
	if invalid != nil && len(p.Changes) == 0 {
		return nil, invalid
	}
	if p.Removes() { // who is not declared must not be declared now: the refresh may have taken minutes
		if again, err := r.Specs.Scan(ctx); err != nil {
			return nil, err
		} else if again.Digest != scan.Digest {
			r.seen = ""
			return nil, fmt.Errorf("users were about to count as removed: %w", spec.ErrMoved)
		}
	}
	r.see(tree, p)
	r.tellUnheld(p, mode.Release)
	if err := r.authorized(ctx); err != nil {
		return r.report(began, mode, tree.Revision, p, problems), err
	}
	if mode.DryRun {
		return r.report(began, mode, tree.Revision, p, problems), invalid
	}
	if meta.Pause != nil { // of the organization nothing is changed; what is in force is recorded
		return r.report(began, mode, tree.Revision, p, problems), cmp.Or(r.Store.Commit(state.Commit{Users: p.Bases()}), invalid)
	}
	r.tellUnheld(p, slices.DeleteFunc(slices.Clone(p.UnknownReleases), func(id string) bool { return slices.Contains(mode.Release, id) }))
	if p.Sends() {
		if err := bind(); err != nil {
			return nil, err
		}
	}
	stopped := r.apply(ctx, p, snap)
	switch converged := len(tree.Problems) == 0 && p.Converged() && r.Policy.Select.All(); {
	case stopped != nil:
	case converged:
		stopped = r.converged(mark, tree.Revision, len(tree.Users), state.Commit{Users: p.Redeclared, Guards: p.EndImport()}, false)
	case meta.Converged != nil && meta.Converged.Digest != "":
		stopped = r.Store.Commit(state.Commit{Converged: &state.Converged{}}) // no tree has an empty digest
	}
	return r.report(began, mode, tree.Revision, p, problems), cmp.Or(stopped, invalid)
}

// authorized asks the API whether it accepts the credentials that it has refused: a pass that sends nothing would
// end well, and show nothing of that. One that does is known to be over its trouble before it ends.
func (r *Reconciler) authorized(ctx context.Context) error {
	if !r.refused {
		return nil
	}
	if err := r.Directory.Authorize(ctx); err != nil {
		return err
	}
	r.refused = false
	if errors.Is(r.standing.Trouble, ErrUnauthorized) {
		r.standing.Trouble = nil
	}
	return nil
}

// tellUnheld warns of ids that are to be released and under which nothing is held.
func (r *Reconciler) tellUnheld(p *plan.Plan, ids []string) {
	now := make([]string, len(p.Holds))
	for i, h := range p.Holds {
		now[i] = h.ID
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if !slices.Contains(p.Answered, id) {
			r.Log.Warn("nothing is held under the id that is to be released; what is held may have changed since", "id", id, "held now", now)
		}
	}
}

// binder returns what is to be called before the first call that matters, and not for a pass that makes none.
func (r *Reconciler) binder(ctx context.Context, snap *state.Snapshot) func() error {
	bound := false
	return func() error {
		if bound {
			return nil
		}
		org, err := r.Directory.Open(ctx, snap.Users)
		if err != nil {
			return err
		}
		bound = true
		return r.Store.Bind(state.Org{API: r.API, ID: org})
	}
}

// converged records that a tree is fully applied, and what else is to be recorded with that.
func (r *Reconciler) converged(mark, revision string, users int, with state.Commit, dryRun bool) error {
	if dryRun {
		return nil
	}
	r.standing.LastApplied = &state.Applied{Revision: revision, At: time.Now().UTC()}
	with.Converged = &state.Converged{Digest: mark, Users: users, Revision: revision}
	return r.Store.Commit(with)
}

// lookAgain returns a second scan of a tree that is news, and ErrMoved if it is not the same as the first. In
// a checkout in which git is at work a scan is refused anyway; this is for all the others who write files,
// with no sign of when they have finished.
func (r *Reconciler) lookAgain(ctx context.Context, scan *spec.Scan) (*spec.Scan, error) {
	if scan.Digest == r.seen {
		return scan, nil
	}
	timer := time.NewTimer(secondLook)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	again, err := r.Specs.Scan(ctx)
	if err != nil {
		return nil, err
	}
	if again.Digest != scan.Digest || again.Revision != scan.Revision {
		return nil, fmt.Errorf("two looks at it differ: %w", spec.ErrMoved)
	}
	r.seen = again.Digest
	return again, nil
}

// ProblemsError lists all that is wrong with a tree, by itself.
type ProblemsError struct{ Problems []spec.Problem }

func (e *ProblemsError) Error() string {
	return fmt.Sprintf("the specs have problems, %d in all; the first: %s", len(e.Problems), e.Problems[0])
}

// Is makes errors.Is find ErrProblems.
func (e *ProblemsError) Is(target error) bool { return target == ErrProblems }
