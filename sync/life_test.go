package sync_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// Which lives are tried if the command line says nothing: as many as fit in 4 s, and each time the same, so that what
// fails was broken by the last change. To look for what nobody has thought of: -rapid.checks=1000.
const (
	lifeChecks = "40"
	lifeSeed   = "1"
)

// Whatever happens to an organization and to its specs, an account stays that of the person whose it is: none is
// deleted, deactivated, made a second time or given to somebody else unless the owner asks for it, and what is not
// declared stays as its owner left it. Once the faults are over, and what was told is corrected, everybody is as
// declared.
func TestRandomLife(t *testing.T) {
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["rapid.checks"] && !given["rapid.seed"] { // the other properties have numbers of their own
		for name, value := range map[string]string{"rapid.checks": lifeChecks, "rapid.seed": lifeSeed} {
			v := flag.Lookup(name).Value
			was := v.String()
			if err := v.Set(value); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = v.Set(was) }()
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		sc := drawLife(r)
		var failure error
		synctest.Test(t, func(t *testing.T) { failure = sc.run(t) })
		if failure != nil {
			r.Fatal(failure)
		}
	})
}

// life is a scenario, drawn before it runs, and then the model of it.
type life struct {
	org       sim.Options
	onRemoval plan.Action
	report    bool // drift is only reported
	unmanaged []spec.Field
	create    bool // also while addresses are not managed
	numbered  bool // everybody has an employee id
	forgetful bool // the state file may be lost: an account is then that of whoever is found by id or address, and only from then on theirs
	steps     []step

	*world
	people    []*person
	let       map[string]bool // ids of accounts whose removal was released
	last      *usersync.Result
	refused   []spec.Problem // of the tree, in the last pass
	changed   bool           // something, since the last pass
	addresses int            // made up so far
	history   []string
}

// A step is one thing that somebody does; a and b choose whom it is about.
type step struct {
	name string
	a, b int
}

func drawLife(r *rapid.T) *life {
	sc := &life{
		onRemoval: rapid.SampledFrom([]plan.Action{plan.Unmanage, plan.Deactivate, plan.Delete}).Draw(r, "on removal"),
		report:    rapid.Bool().Draw(r, "drift is reported"),
		unmanaged: rapid.SampledFrom([][]spec.Field{nil, nil, nil, {spec.Email}, {spec.Email, spec.Name, spec.State, spec.Title}}).Draw(r, "unmanaged"),
		numbered:  rapid.Bool().Draw(r, "employee ids"),
		forgetful: rapid.IntRange(0, 4).Draw(r, "forgetful") == 4,
		org: sim.Options{Users: persons/2 + strangers, Latency: 20 * time.Millisecond,
			ReadLag: time.Duration(rapid.IntRange(0, 2).Draw(r, "read lag")) * time.Second},
	}
	sc.create = sc.unmanaged == nil || rapid.IntRange(0, 2).Draw(r, "create") == 2
	var names []string
	for name, do := range lifeSteps {
		if name != "the state file is lost" || sc.forgetful {
			names = append(names, slices.Repeat([]string{name}, do.weight)...)
		}
	}
	slices.Sort(names)
	sc.steps = rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
		return step{rapid.SampledFrom(names).Draw(r, "step"), rapid.IntRange(0, 11).Draw(r, "a"), rapid.IntRange(0, 11).Draw(r, "b")}
	}), 4, 24).Draw(r, "steps")
	return sc
}

func (sc *life) run(t *testing.T) error {
	sc.world = newWorld(t, sc.org)
	defer sc.close()
	sc.let = map[string]bool{}
	sc.settings()
	sc.populate()
	if err := sc.look("the first pass", usersync.Mode{Strict: true, ForceRefresh: true}); err != nil {
		return err
	}
	for _, s := range sc.steps {
		did, err := lifeSteps[s.name].do(sc, s.a, s.b)
		if did != "" {
			sc.history, sc.changed = append(sc.history, s.name+": "+did), true
		}
		if err != nil {
			return sc.failure(err)
		}
	}
	if err := sc.end(); err != nil {
		return sc.failure(err)
	}
	return nil
}

// failure adds to an error what has happened until then.
func (sc *life) failure(err error) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\non removal: %s, drift is reported: %v, unmanaged: %v, create: %v, employee ids: %v\n", err, sc.onRemoval, sc.report, sc.unmanaged, sc.create, sc.numbered)
	for i, h := range sc.history {
		fmt.Fprintf(&b, "%2d. %s\n", i+1, h)
	}
	for _, p := range sc.people {
		fmt.Fprintf(&b, "%+v\n", *p)
	}
	for _, u := range sc.sim.Users() {
		fmt.Fprintf(&b, "account %s: %s, %q, %s, title %q, department %q\n", u.ID, u.Email, u.Name, u.State, u.Title, u.Department)
	}
	return fmt.Errorf("%s", b.String())
}

// settings are the program's, at each start.
func (sc *life) settings() {
	sc.Policy.Guard.Renames, sc.Policy.OnRemoval, sc.Policy.ReportDrift = true, sc.onRemoval, sc.report
	sc.Policy.Unmanaged, sc.Policy.Create = sc.unmanaged, sc.create
}

// end clears the faults, waits, corrects what was told, and compares everybody with the specs.
func (sc *life) end() error {
	sc.sim.ClearFaults()
	quiet := func(n int) error {
		for range n {
			time.Sleep(7 * time.Hour) // out of quarantine
			if err := sc.look("a quiet pass", usersync.Mode{Strict: true, ForceRefresh: true}); err != nil {
				return err
			}
			if sc.last != nil && sc.last.Changed == 0 && sc.last.Failed == 0 {
				break
			}
		}
		return nil
	}
	if err := quiet(3); err != nil {
		return err
	}
	if err := sc.asDeclared(); err != nil {
		return fmt.Errorf("before anything is corrected: %w", err)
	}
	for range 3 {
		sc.correct()
		if err := quiet(2); err != nil {
			return err
		}
		if sc.last == nil || len(sc.last.Holds) == 0 {
			break
		}
		sc.release(sc.last.Holds...)
		if err := sc.look("the pass after it", usersync.Mode{Strict: true, ForceRefresh: true}); err != nil {
			return err
		}
	}
	if sc.last == nil {
		return fmt.Errorf("the specs are refused after their correction")
	}
	if len(sc.last.Holds) > 0 {
		return fmt.Errorf("something is held for ever")
	}
	return sc.asDeclared()
}

// release asks for the release of holds. What they are about is asked for from then on.
func (sc *life) release(holds ...plan.Hold) {
	for _, h := range holds {
		if err := sc.Store.Commit(state.Commit{AddReleases: []string{h.ID}}); err != nil {
			sc.Fatal(err)
		}
		sc.history = append(sc.history, fmt.Sprintf("released: %s of %v", h.Guard, h.Users))
		for _, c := range sc.last.Changes {
			if c.Hold != h.ID || h.Guard != "renames" {
				continue
			}
			if c.Action.Removes() {
				sc.let[c.Current.ID] = true
				continue
			}
			p := sc.at(c.Key)
			if p == nil {
				continue
			}
			if p.account != "" {
				sc.let[p.account] = true
			}
			p.account = ""
			if c.Current == nil || c.Action == plan.Create {
				continue
			}
			if owner := sc.owner(c.Current.ID); owner != nil {
				owner.account = ""
			}
			p.take(c.Current.ID)
		}
	}
}

// at returns the person who is declared by an address.
func (sc *life) at(key string) *person {
	i := slices.IndexFunc(sc.people, func(p *person) bool { return p.declared && p.key == key })
	if i < 0 {
		return nil
	}
	return sc.people[i]
}

func (sc *life) owner(id string) *person {
	i := slices.IndexFunc(sc.people, func(p *person) bool { return p.account == id })
	if i < 0 {
		return nil
	}
	return sc.people[i]
}

// called returns the person that a name, a title or a department is that of.
func (sc *life) called(text string) *person {
	first, _, _ := strings.Cut(text, " ")
	i := slices.IndexFunc(sc.people, func(p *person) bool { return p.String() == first })
	if i < 0 {
		return nil
	}
	return sc.people[i]
}
