package genesys

import (
	"cmp"
	"maps"
	"slices"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// An opKind is what a call does. The order is that in which one user's calls are made: who the user is and
// whether it is active, then where it belongs and what it may do, then the rest.
type opKind int

const (
	opCreate        opKind = iota + 1 // POST /users
	opDelete                          // DELETE /users/{id}
	opState                           // PATCH with state and version alone: the API ignores or refuses anything besides
	opFields                          // PATCH with everything else that a user itself has
	opAutoAnswer                      // PATCH /users/bulk, of several users
	opDivision                        // POST /authorization/divisions/{id}/objects/USER, of several users
	opRoles                           // POST /authorization/subjects/{id}/bulkreplace
	opSkills                          // PUT or PATCH /users/{id}/routingskills/bulk
	opSkillGone                       // DELETE /users/{id}/routingskills/{id}
	opLanguages                       // PATCH /users/{id}/routinglanguages/bulk
	opLanguageGone                    // DELETE /users/{id}/routinglanguages/{id}
	opProfileSkills                   // PUT /users/{id}/profileskills
	opUtilization                     // PUT or DELETE /routing/users/{id}/utilization
	opVoicemail                       // PATCH /voicemail/userpolicies/{id}
	opExternalGone                    // DELETE /users/{id}/externalid/{authority}/{key}
	opExternal                        // POST /users/{id}/externalid
	opQueueLeave                      // POST /routing/queues/{id}/members?delete=true, of several users
	opQueueJoin                       // POST /routing/queues/{id}/members, of several users
	opGroupLeave                      // DELETE /groups/{id}/members, of several users
	opGroupJoin                       // POST /groups/{id}/members, of several users
)

// The most that the API takes at once. For division moves it is not told; the vendor's other limits are no lower.
const (
	maxAutoAnswer = 50
	maxMoves      = 50
	maxRated      = 50 // skills or languages
	maxQueue      = 100
	maxGroup      = 50
)

// An op is the note that a call carries for Do.
type op struct {
	kind    opKind
	target  string   // name of the division, queue, group, skill, language or authority
	key     string   // of an external id
	names   []string // of the skills or languages that go with it
	replace bool     // of skills: all others go
}

func (o opKind) name() string {
	switch o {
	case opCreate:
		return "POST /users"
	case opDelete:
		return "DELETE /users/{id}"
	case opAutoAnswer:
		return "PATCH /users/bulk"
	case opDivision:
		return "POST /authorization/divisions/{id}/objects/USER"
	case opRoles:
		return "POST /authorization/subjects/{id}/bulkreplace"
	case opSkills:
		return "PUT /users/{id}/routingskills/bulk"
	case opSkillGone:
		return "DELETE /users/{id}/routingskills/{id}"
	case opLanguages:
		return "PATCH /users/{id}/routinglanguages/bulk"
	case opLanguageGone:
		return "DELETE /users/{id}/routinglanguages/{id}"
	case opProfileSkills:
		return "PUT /users/{id}/profileskills"
	case opUtilization:
		return "PUT /routing/users/{id}/utilization"
	case opVoicemail:
		return "PATCH /voicemail/userpolicies/{id}"
	case opExternalGone:
		return "DELETE /users/{id}/externalid/{authority}/{key}"
	case opExternal:
		return "POST /users/{id}/externalid"
	case opQueueLeave, opQueueJoin:
		return "POST /routing/queues/{id}/members"
	case opGroupLeave:
		return "DELETE /groups/{id}/members"
	case opGroupJoin:
		return "POST /groups/{id}/members"
	}
	return "PATCH /users/{id}"
}

// most is how many users one call serves.
func (o opKind) most() int {
	switch o {
	case opAutoAnswer:
		return maxAutoAnswer
	case opDivision:
		return maxMoves
	case opQueueLeave, opQueueJoin:
		return maxQueue
	case opGroupLeave, opGroupJoin:
		return maxGroup
	}
	return 1
}

// A step is one call's part in one change.
type step struct {
	op
	change *plan.Change
	fields []spec.Field
}

// Compile implements apply.Writer. The calls are sorted by what they do, so that calls which several
// users share come in the same order for each of them. Leavers share calls with leavers alone, so that they
// wait for nobody.
func (d *Directory) Compile(changes []*plan.Change) []*apply.Call {
	byKind := map[opKind][]step{}
	for _, c := range changes {
		for _, s := range compile(c) {
			byKind[s.kind] = append(byKind[s.kind], s)
		}
	}
	if one := byKind[opAutoAnswer]; len(one) == 1 { // alone it goes as everything else does, with a version
		one[0].kind = opFields
		byKind[opFields] = append(byKind[opFields], one[0])
		delete(byKind, opAutoAnswer)
	}
	var calls []*apply.Call
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		steps := byKind[kind]
		if kind.most() > 1 {
			slices.SortStableFunc(steps, func(a, b step) int {
				return cmp.Or(cmp.Compare(urgency(a.change), urgency(b.change)), cmp.Compare(a.target, b.target))
			})
		}
		var open *apply.Call
		var last step
		for _, s := range steps {
			if open == nil || len(open.Changes) == kind.most() || s.target != last.target || urgency(s.change) != urgency(last.change) {
				open = s.call()
				calls = append(calls, open)
			}
			open.Changes = append(open.Changes, s.change)
			last = s
		}
	}
	d.expect.compiled(changes, calls)
	return calls
}

// urgency is 0 for leavers and 1 for everybody else.
func urgency(c *plan.Change) int { return min(c.Lane, 2) - 1 }

func (s step) call() *apply.Call {
	call := &apply.Call{Name: s.kind.name(), Fields: s.fields, Creates: s.kind == opCreate, Op: s.op}
	switch s.kind {
	case opCreate, opState, opFields, opExternal: // a version, or a refusal, would tell them apart
	default:
		call.Repeatable = true
	}
	if s.kind == opGroupJoin || s.kind == opGroupLeave {
		call.Object = "group " + s.target // its version counts up with each
	}
	return call
}

// compile turns one change into its steps, in the order in which they must be made.
func compile(c *plan.Change) []step {
	var steps []step
	add := func(o op, fields ...spec.Field) { steps = append(steps, step{op: o, change: c, fields: fields}) }
	var todo []spec.Field
	switch c.Action {
	case plan.Unmanage:
		return nil
	case plan.Delete:
		add(op{kind: opDelete}, spec.State)
		return steps
	case plan.Create:
		var first []spec.Field
		for _, fc := range c.Fields { // and not what is desired besides, and withheld
			if slices.Contains(creatable, fc.Field) || isEmpty(fc.Field, fc.After) {
				first = append(first, fc.Field) // a new user has nothing, so what is to be empty is settled
			} else {
				todo = append(todo, fc.Field)
			}
		}
		add(op{kind: opCreate}, first...)
	default:
		for _, fc := range c.Fields {
			if fc.Field != spec.State {
				todo = append(todo, fc.Field)
			}
		}
		if c.HasField(spec.State) || c.Action == plan.Restore {
			add(op{kind: opState}, spec.State)
		}
	}
	profile := slices.DeleteFunc(slices.Clone(todo), func(f spec.Field) bool { return !slices.Contains(patchable, f) })
	switch {
	case len(profile) == 1 && profile[0] == spec.ACDAutoAnswer:
		add(op{kind: opAutoAnswer}, profile...)
	case len(profile) > 0:
		add(op{kind: opFields}, profile...)
	}
	for _, f := range todo {
		for _, o := range apartSteps(c, f) {
			add(o, f)
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.kind, b.kind) })
	return steps
}

// apartSteps are the steps of a field that is not the user's own but hangs under it, or is kept elsewhere.
func apartSteps(c *plan.Change, f spec.Field) []op {
	have, want := spec.Value(""), after(c, f)
	if c.Current != nil {
		have = c.Current.Fields[f]
	}
	switch f {
	case spec.Division:
		name, _ := spec.Decode[string](want)
		return []op{{kind: opDivision, target: name}}
	case spec.Roles:
		return []op{{kind: opRoles}}
	case spec.Skills:
		return skillSteps(have, want)
	case spec.Languages:
		return languageSteps(have, want)
	case spec.ProfileSkills:
		return []op{{kind: opProfileSkills}}
	case spec.Utilization:
		return []op{{kind: opUtilization}}
	case spec.Voicemail:
		return []op{{kind: opVoicemail}}
	case spec.ExternalIDs:
		return externalSteps(have, want)
	case spec.Queues:
		return memberSteps(have, want, opQueueLeave, opQueueJoin)
	case spec.Groups:
		return memberSteps(have, want, opGroupLeave, opGroupJoin)
	}
	return nil
}

// memberSteps leaves and joins what differs.
func memberSteps(have, want spec.Value, leave, join opKind) []op {
	before, _ := spec.Decode[[]string](have)
	after, _ := spec.Decode[[]string](want)
	var steps []op
	for _, name := range before {
		if !slices.Contains(after, name) {
			steps = append(steps, op{kind: leave, target: name})
		}
	}
	for _, name := range after {
		if !slices.Contains(before, name) {
			steps = append(steps, op{kind: join, target: name})
		}
	}
	return steps
}
