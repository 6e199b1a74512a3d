package sync_test

import (
	"fmt"
	"slices"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// An act is something that may happen: it says what was done, "" if it cannot be done now.
type act struct {
	weight int
	do     func(sc *life, a, b int) (string, error)
}

// edit is an act on the spec of a declared person.
func edit(change func(sc *life, p *person, b int) string) act {
	return act{2, func(sc *life, a, b int) (string, error) {
		p := sc.one(a, true, nil)
		if p == nil {
			return "", nil
		}
		before := *p
		did := change(sc, p, b)
		if did == "" || !sc.recognizable(p) {
			*p = before
			return "", nil
		}
		sc.rewrite(p, before)
		return fmt.Sprintf("%s %s", p, did), nil
	}}
}

// byHand is an act on an account, in Genesys.
func byHand(change func(sc *life, u *sim.User, b int) string) act {
	return act{2, func(sc *life, a, b int) (string, error) {
		users := sc.sim.Users()
		u := users[a%len(users)]
		if u.Name == "Nobody" || sc.twice(u.Email) {
			return "", nil
		}
		did := ""
		sc.sim.Edit(u.Email, func(u *sim.User) { did = change(sc, u, b) })
		return fmt.Sprintf("%s (%s) %s", u.ID[:8], u.Name, did), nil
	}}
}

// twice reports whether two accounts have an address, a deleted one and another.
func (w *world) twice(email string) bool { return count(w.sim.Users(), email) != 1 }

func pass(weight int, mode usersync.Mode) act {
	return act{weight, func(sc *life, _, _ int) (string, error) {
		return "", sc.look(fmt.Sprintf("a pass %+v", mode), mode)
	}}
}

// rename gives a person another address in the spec.
func (sc *life) rename(p *person) (old string) {
	old, p.key = p.key, sc.fresh(p)
	p.previous = slices.DeleteFunc(p.previous, func(key string) bool { return key == p.key })
	return old
}

// exchange changes two people's addresses in the specs.
func exchange(say func(p *person, old string)) act {
	return act{1, func(sc *life, a, b int) (string, error) {
		p, q := sc.one(a, true, owning), sc.one(b, true, owning)
		if p == nil || p == q {
			return "", nil
		}
		before := [2]person{*p, *q}
		p.key, q.key = q.key, p.key
		say(p, q.key)
		say(q, p.key)
		if !sc.recognizable(p) || !sc.recognizable(q) {
			*p, *q = before[0], before[1]
			return "", nil
		}
		sc.declare(p)
		sc.declare(q)
		return fmt.Sprintf("%s and %s", p, q), nil
	}}
}

// lifeSteps are all that may happen, by name.
var lifeSteps = map[string]act{
	"a pass":                   pass(10, usersync.Mode{Strict: true, ForceRefresh: true}),
	"a pass of the daemon":     pass(6, usersync.Mode{}),
	"a pass without a reading": pass(3, usersync.Mode{NoRefresh: true}),
	"a plan":                   pass(1, usersync.Mode{Strict: true, ForceRefresh: true, DryRun: true}),

	"a title": edit(func(_ *life, p *person, _ int) string { p.title = p.value("Title"); return p.title }),
	"a state": edit(func(_ *life, p *person, b int) string {
		p.state = []string{"", "active", "inactive"}[b%3]
		return p.state + "."
	}),
	"a new name": edit(func(_ *life, p *person, _ int) string { p.name = p.value("Name"); return p.name }),
	"a rename by id": edit(func(sc *life, p *person, _ int) string {
		if p.account == "" {
			return ""
		}
		p.pinned = p.account
		return sc.rename(p) + " -> " + p.key
	}),
	"a rename by previousEmail": edit(func(sc *life, p *person, b int) string {
		if p.account == "" || slices.ContainsFunc(sc.people, func(q *person) bool {
			rec := sc.record(q)
			return q != p && rec != nil && rec.Declared.Key == p.key
		}) {
			return "" // it would be somebody else's account that the spec asks for
		}
		old := sc.rename(p)
		if p.previous = append(p.previous, old); b%2 == 0 {
			p.previous = []string{old}
		}
		return fmt.Sprintf("%v -> %s", p.previous, p.key)
	}),
	"a rename that is not said": edit(func(sc *life, p *person, b int) string {
		if p.pinned != "" {
			return ""
		}
		p.previous = nil
		old := sc.rename(p)
		switch b % 3 {
		case 1:
			p.name = p.value("Name")
		case 2:
			p.file = fmt.Sprintf("p%d-%d.yaml", p.n, sc.addresses)
		}
		return fmt.Sprintf("%s -> %s, %s in %s", old, p.key, p.name, p.file)
	}),
	"what was said of a rename is left out": edit(func(_ *life, p *person, _ int) string {
		p.pinned, p.previous = "", nil
		return "no id, no previousEmail"
	}),
	"a spec moves": edit(func(sc *life, p *person, b int) string {
		p.file = fmt.Sprintf("p%d-moved%d.yaml", p.n, b)
		return p.file
	}),
	"two addresses exchanged in the specs":                     exchange(func(*person, string) {}),
	"two addresses exchanged in the specs, with ids":           exchange(func(p *person, _ string) { p.pinned = p.account }),
	"two addresses exchanged in the specs, with previousEmail": exchange(func(p *person, old string) { p.previous = []string{old} }),

	"a spec is removed": {2, func(sc *life, a, _ int) (string, error) {
		p := sc.one(a, true, nil)
		if p == nil {
			return "", nil
		}
		sc.undeclare(p)
		return p.String(), nil
	}},
	"a spec comes, or comes back": {3, func(sc *life, a, _ int) (string, error) {
		p := sc.one(a, false, nil)
		if p == nil || slices.ContainsFunc(sc.people, func(q *person) bool { return q != p && q.key == p.key && (q.declared || owning(q)) }) {
			return "", nil
		}
		p.previous = slices.DeleteFunc(p.previous, sc.spoken) // it would ask for the account of whoever has the address by now
		sc.freeFile(p)
		if !sc.recognizable(p) {
			return "", nil
		}
		sc.declare(p)
		return fmt.Sprintf("%s at %s in %s", p, p.key, p.file), nil
	}},
	"a successor in the leaver's file": {2, func(sc *life, a, b int) (string, error) {
		p, h := sc.one(a, true, owning), sc.one(b, false, jobless)
		if p == nil || h == nil {
			return "", nil
		}
		sc.undeclare(p)
		h.key, h.file, h.pinned, h.previous = sc.fresh(h), p.file, "", nil
		sc.declare(h)
		return fmt.Sprintf("%s in that of %s", h, p), nil
	}},
	"a rename and a hire at the former address": {2, func(sc *life, a, b int) (string, error) {
		p, h := sc.one(a, true, owning), sc.one(b, false, jobless)
		if p == nil || h == nil {
			return "", nil
		}
		if !sc.done(p) {
			return "", nil // previousEmail would ask for the account of the hire
		}
		before := *p
		old := sc.rename(p)
		switch a % 3 {
		case 0:
			p.pinned = p.account
		case 1:
			p.previous = []string{old}
		}
		if !sc.recognizable(p) {
			*p = before
			return "", nil
		}
		h.key, h.pinned, h.previous = old, "", nil
		sc.freeFile(h)
		sc.declare(p)
		sc.declare(h)
		return fmt.Sprintf("%s %s -> %s (id %q, previousEmail %v), %s", p, old, p.key, p.pinned, p.previous, h), nil
	}},
	"a hire at a former address": {2, func(sc *life, a, b int) (string, error) {
		h := sc.one(a, false, jobless)
		var free []string
		for _, p := range sc.people {
			for key := range p.keys {
				if !sc.spoken(key) {
					free = append(free, key)
				}
			}
		}
		if h == nil || len(free) == 0 {
			return "", nil
		}
		slices.Sort(free)
		h.key, h.pinned, h.previous = free[b%len(free)], "", nil
		sc.freeFile(h)
		sc.declare(h)
		return fmt.Sprintf("%s at %s", h, h.key), nil
	}},
	"a spec is copied with its id": {2, func(sc *life, a, b int) (string, error) {
		p, h := sc.one(a, true, owning), sc.one(b, false, jobless)
		if p == nil || h == nil {
			return "", nil
		}
		h.key, h.pinned, h.previous = sc.fresh(h), p.account, nil
		if sc.freeFile(h); b%2 == 0 {
			sc.undeclare(p)
		}
		sc.declare(h)
		return fmt.Sprintf("that of %s for %s; the original is there: %v", p, h, p.declared), nil
	}},

	"a title by hand": byHand(func(_ *life, u *sim.User, b int) string {
		u.Title = fmt.Sprintf("by hand %d", b)
		return u.Title
	}),
	"a state by hand": byHand(func(_ *life, u *sim.User, b int) string {
		u.State = []string{"active", "inactive", "deleted"}[b%3]
		return u.State
	}),
	"an address by hand": byHand(func(sc *life, u *sim.User, _ int) string {
		sc.addresses++
		u.Email = fmt.Sprintf("by.hand%d@example.com", sc.addresses)
		return u.Email
	}),
	"an address by hand, and the spec follows": {2, func(sc *life, a, b int) (string, error) {
		p := sc.one(a, true, owning)
		if p == nil || sc.twice(sc.byID(p.account).Email) {
			return "", nil
		}
		before := *p
		old := sc.rename(p)
		if b%2 == 0 {
			p.file = fmt.Sprintf("p%d-%d.yaml", p.n, sc.addresses)
		}
		if !sc.recognizable(p) {
			*p = before
			return "", nil
		}
		sc.sim.Edit(sc.byID(p.account).Email, func(u *sim.User) { u.Email = p.key })
		sc.rewrite(p, before)
		return fmt.Sprintf("%s %s -> %s in %s", p, old, p.key, p.file), nil
	}},
	"an address is given to somebody else by hand": {2, func(sc *life, a, b int) (string, error) {
		return sc.pass(a, b, "given")
	}},
	"two addresses exchanged by hand": {2, func(sc *life, a, b int) (string, error) {
		return sc.pass(a, b, "exchanged")
	}},

	"calls fail": {4, func(sc *life, a, b int) (string, error) {
		words := []string{"PATCH x2 lost", "PATCH x2 503", "POST /api/v2/users x1 lost", "PATCH x1 conflict409", "PATCH x1 conflict400", "DELETE x1 lost", "GET x2 503",
			"PATCH 30% done=502", "POST 50% drop", "PATCH x1 slow=3m", "30% 503", "PATCH after=1 403"}[a]
		sc.fault(words)
		return words, nil
	}},
	"calls succeed": {2, func(sc *life, _, _ int) (string, error) {
		sc.sim.ClearFaults()
		return "no faults", nil
	}},
	"a restart": {2, func(sc *life, _, _ int) (string, error) {
		sc.close()
		sc.open()
		sc.settings()
		return "with the state file", nil
	}},
	"the state file is lost": {2, func(sc *life, _, _ int) (string, error) {
		sc.forget()
		sc.settings()
		for _, p := range sc.people { // until the next pass has found it by id or address, an account is nobody's
			p.account, p.may = "", map[string]bool{}
		}
		return "and all is to be found by id or address", nil
	}},
	"time goes by": {2, func(_ *life, a, _ int) (string, error) {
		d := []time.Duration{time.Minute, time.Hour, 25 * time.Hour}[a%3]
		time.Sleep(d)
		return d.String(), nil
	}},
	"a person releases a hold": {2, func(sc *life, a, _ int) (string, error) {
		if sc.last == nil || len(sc.last.Holds) == 0 || sc.changed { // a release is of what is held now
			return "", nil
		}
		sc.release(sc.last.Holds[a%len(sc.last.Holds)])
		return "", sc.look("the pass after it", usersync.Mode{Strict: true, ForceRefresh: true})
	}},
}

// pass gives the address of one account to another by hand, which gives its own in exchange or loses it.
func (sc *life) pass(a, b int, how string) (string, error) {
	users := slices.DeleteFunc(sc.sim.Users(), func(u sim.User) bool { return u.Name == "Nobody" || sc.twice(u.Email) || u.State == "deleted" })
	if len(users) < 2 {
		return "", nil
	}
	u, v := users[a%len(users)], users[b%len(users)]
	if u.ID == v.ID {
		return "", nil
	}
	sc.addresses++
	old := fmt.Sprintf("old%d@example.com", sc.addresses)
	sc.sim.Edit(u.Email, func(u *sim.User) { u.Email = old })
	sc.sim.Edit(v.Email, func(v *sim.User) { v.Email = u.Email })
	if how == "exchanged" {
		sc.sim.Edit(old, func(u *sim.User) { u.Email = v.Email })
	}
	return fmt.Sprintf("%s (%s) and %s (%s)", u.Email, u.Name, v.Email, v.Name), nil
}
