package sync_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/genesys/sim"
)

const (
	persons   = 6 // of whom half have an account at the beginning, and are declared
	strangers = 2 // accounts that nobody is ever declared for
)

// A person is somebody whose account, spec and name nobody else may get. All that a person is called begins with
// the person's own word, so that it shows whose a value is.
type person struct {
	n        int
	account  string          // the id of theirs; "": none, or nobody's by now
	had      map[string]bool // ids that were theirs
	may      map[string]bool // ids that a person without an account may get: those found by an address of theirs
	declared bool
	file     string

	key, name, title, state string
	employee                string // id
	pinned                  string
	previous                []string

	keys    map[string]bool // all that were declared
	changes int
}

func (p *person) String() string { return fmt.Sprintf("P%d", p.n) }

// take gives a person an account.
func (p *person) take(id string) { p.account, p.had[id], p.may = id, true, map[string]bool{} }

// value makes something up that is the person's alone.
func (p *person) value(what string) string {
	p.changes++
	return fmt.Sprintf("%s %s%d", p, what, p.changes)
}

// populate makes the people and the strangers, and declares half of the people.
func (sc *life) populate() {
	for i, u := range sc.sim.Users() {
		word := fmt.Sprintf("P%d", i)
		if i >= persons/2 {
			word = fmt.Sprintf("S%d", i)
		}
		sc.sim.Edit(u.Email, func(u *sim.User) {
			u.Email, u.Name, u.Title, u.Department, u.State = strings.ToLower(word)+"@example.com", word+" Name", word+" Title", word, "active"
			u.Employer = sim.Employer{}
		})
	}
	for n := range persons {
		p := &person{n: n, had: map[string]bool{}, may: map[string]bool{}, keys: map[string]bool{}}
		p.key, p.name, p.title, p.file = fmt.Sprintf("p%d@example.com", n), fmt.Sprintf("P%d Name", n), fmt.Sprintf("P%d Title", n), fmt.Sprintf("p%d.yaml", n)
		if sc.numbered {
			p.employee = fmt.Sprintf("E%d", n)
		}
		sc.people = append(sc.people, p)
		if u, ok := sc.sim.User(p.key); ok {
			p.take(u.ID)
			sc.declare(p)
		}
	}
	sc.write("nobody.yaml", "email: nobody@example.com\nname: Nobody\nid: %s\n", sc.sim.Add(sim.User{Email: "nobody@example.com", Name: "Nobody"}).ID) // a tree is never empty
	time.Sleep(time.Minute)                                                                                                                            // a reading shows it all
}

// fresh makes up an address.
func (sc *life) fresh(p *person) string {
	sc.addresses++
	return fmt.Sprintf("p%d.%d@example.com", p.n, sc.addresses)
}

// declare writes a person's spec.
func (sc *life) declare(p *person) {
	p.declared, p.keys[p.key] = true, true
	text := fmt.Sprintf("email: %s\nname: %s\ntitle: %s\ndepartment: %s\n", p.key, p.name, p.title, p)
	for name, value := range map[string]string{"state": p.state, "id": p.pinned} {
		if value != "" {
			text += name + ": " + value + "\n"
		}
	}
	if len(p.previous) > 0 {
		text += "previousEmail: [" + strings.Join(p.previous, ", ") + "]\n"
	}
	if p.employee != "" {
		text += "employer: {employeeId: " + p.employee + "}\n"
	}
	sc.write(p.file, "%s", text)
}

// rewrite writes a person's spec that may have been in another file before.
func (sc *life) rewrite(p *person, before person) {
	sc.undeclare(&before)
	sc.declare(p)
}

// undeclare removes a person's spec.
func (sc *life) undeclare(p *person) {
	p.declared = false
	if err := os.Remove(filepath.Join(sc.dir, p.file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		sc.Fatal(err)
	}
}

// freeFile finds a file for a person, theirs unless somebody else is declared in it by now.
func (sc *life) freeFile(p *person) {
	for i := 1; slices.ContainsFunc(sc.people, func(q *person) bool { return q != p && q.declared && q.file == p.file }); i++ {
		p.file = fmt.Sprintf("p%d-%d.yaml", p.n, i)
	}
}

// one returns the a-th person of those who are declared, or not.
func (sc *life) one(a int, declared bool, is func(*person) bool) *person {
	var some []*person
	for _, p := range sc.people {
		if p.declared == declared && (is == nil || is(p)) {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[a%len(some)]
}

// spoken reports whether somebody's spec says an address, or asks for whoever has it, or somebody is to be removed by it.
func (sc *life) spoken(key string) bool {
	return slices.ContainsFunc(sc.people, func(p *person) bool {
		return p.key == key && (p.declared || p.account != "") || p.declared && slices.Contains(p.previous, key) && !sc.done(p)
	})
}

// done reports whether a person is matched to their spec, and has the address.
func (sc *life) done(p *person) bool {
	rec := sc.record(p)
	return rec != nil && rec.Declared.Key == p.key && rec.Key() == p.key
}

// record returns what the state file knows of a person's account.
func (sc *life) record(p *person) *state.User {
	snap, err := sc.Store.Snapshot()
	if err != nil {
		sc.Fatal(err)
	}
	return snap.Users[p.account]
}

// recognizable reports whether anything in a person's spec tells whose it is.
func (sc *life) recognizable(p *person) bool {
	rec := sc.record(p)
	return rec == nil || p.employee != "" || p.pinned == p.account || p.key == rec.Declared.Key || slices.Contains(p.previous, rec.Declared.Key) ||
		p.file == rec.Declared.File || p.name == rec.Fields.Get(spec.Name).Text()
}

func owning(p *person) bool { return p.account != "" }

func jobless(p *person) bool { return p.account == "" }

// correct does in the specs what the last pass has told to do.
func (sc *life) correct() {
	for _, p := range sc.people {
		if !p.declared || sc.last != nil && !sc.told(p) {
			continue
		}
		p.pinned, p.previous = p.account, nil
		if rec := sc.record(p); rec != nil && rec.Declared.Key != "" && rec.Declared.Key != p.key {
			p.previous = []string{rec.Declared.Key} // it is the same person, whatever the name is
			for _, q := range sc.people {           // an address is a former one of one spec alone
				if q != p && q.declared && slices.Contains(q.previous, rec.Declared.Key) {
					q.previous = slices.DeleteFunc(q.previous, func(key string) bool { return key == rec.Declared.Key })
					sc.declare(q)
				}
			}
		}
		if taken, ok := sc.sim.User(p.key); ok && taken.ID != p.account || sc.last == nil {
			p.key = sc.fresh(p)
		}
		sc.declare(p)
		sc.history = append(sc.history, fmt.Sprintf("corrected: %s at %s, id %q", p, p.key, p.pinned))
	}
}
