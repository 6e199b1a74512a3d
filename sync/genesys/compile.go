package genesys

import (
	"cmp"
	"context"
	"slices"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// A step is one call's part in one change.
type step struct {
	op      *api.Operation
	shared  bool   // one call serves several users, up to the operation's Most
	target  string // of a shared call: the name of the division, queue or group
	object  string // see apply.Call
	prepare prepare

	change *plan.Change
	fields []spec.Field
}

// prepare makes the request of a call, from what is now known of its users. It looks up ids, and reads what it needs.
type prepare func(ctx context.Context, d *Directory, users []*plan.Change) (*write, error)

// Compile implements apply.Writer. The calls are sorted by their operation, so that calls which several users share come
// in the same order for each of them. Leavers share calls with leavers alone, so that they do not wait for others.
func (d *Directory) Compile(changes []*plan.Change) []*apply.Call {
	var steps []step
	for _, c := range changes {
		steps = append(steps, d.compile(c)...)
	}
	bulk := func(s step) bool { return s.op == &updateUsers }
	if i := slices.IndexFunc(steps, bulk); i >= 0 && !slices.ContainsFunc(steps[i+1:], bulk) { // alone it goes with a version
		steps[i] = updateStep(&updateUser, steps[i].change, steps[i].fields...)
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		if a.op != b.op || !a.shared {
			return cmp.Compare(slices.Index(d.order, a.op), slices.Index(d.order, b.op))
		}
		return cmp.Or(cmp.Compare(laneGroup(a.change), laneGroup(b.change)), cmp.Compare(a.target, b.target))
	})
	var calls []*apply.Call
	var open *apply.Call
	var last step
	for _, s := range steps {
		if open == nil || !s.shared || s.op != last.op || s.target != last.target || laneGroup(s.change) != laneGroup(last.change) || len(open.Changes) == s.op.Most {
			open = &apply.Call{Name: s.op.String(), Fields: s.fields, Creates: s.op == &createUser, Repeatable: s.op.Repeatable, Object: s.object, Op: s}
			calls = append(calls, open)
		}
		open.Changes = append(open.Changes, s.change)
		last = s
	}
	d.expect.compiled(changes, calls)
	return calls
}

// laneGroup is 0 for leavers and 1 for all others.
func laneGroup(c *plan.Change) int { return int(min(c.Lane, plan.LaneAccess)) - 1 }

// compile turns one change into its steps.
func (d *Directory) compile(c *plan.Change) []step {
	var steps []step
	add := func(s step, fields ...spec.Field) {
		s.change, s.fields = c, fields
		steps = append(steps, s)
	}
	var todo, patched []spec.Field
	switch c.Action {
	case plan.Unmanage:
		return nil
	case plan.Delete:
		add(step{op: &deleteUser, prepare: prepareDelete}, spec.State)
		return steps
	case plan.Create:
		var first []spec.Field
		for _, fc := range c.Fields { // and not what is desired besides, and withheld
			f := d.fields.of(fc.Field)
			if f.post != "" || f.initial != "" && fc.After == f.initial {
				first = append(first, fc.Field)
			} else {
				todo = append(todo, fc.Field)
			}
		}
		add(step{op: &createUser, prepare: prepareCreate}, first...)
	default:
		for _, fc := range c.Fields {
			if fc.Field != spec.State {
				todo = append(todo, fc.Field)
			}
		}
		if c.HasField(spec.State) || c.Action == plan.Restore {
			steps = append(steps, updateStep(&setState, c, spec.State))
		}
	}
	for _, name := range todo {
		switch f := d.fields.of(name); {
		case f.patch != "":
			patched = append(patched, name)
		case f.steps != nil:
			have := spec.Value("")
			if c.Current != nil {
				have = c.Current.Fields.Get(name)
			}
			for _, s := range f.steps(have, after(c, name)) {
				add(s, name)
			}
		}
	}
	switch {
	case len(patched) == 1 && d.fields.of(patched[0]).bulk:
		add(bulkStep(d.fields.of(patched[0])), patched...)
	case len(patched) > 0:
		steps = append(steps, updateStep(&updateUser, c, patched...))
	}
	return steps
}

// after is what a field is to become.
func after(c *plan.Change, f spec.Field) spec.Value {
	if v, ok := c.Desired.Lookup(f); ok {
		return v
	}
	for _, fc := range c.Fields {
		if fc.Field == f {
			return fc.After
		}
	}
	if f == spec.State {
		return spec.Text("active")
	}
	return ""
}
