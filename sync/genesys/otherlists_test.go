package genesys_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
)

// Who has a role in several divisions may be shown for each of them.
func TestHoldersShownTwice(t *testing.T) {
	f := &fake{api: func(r *http.Request, _ string) reply {
		if strings.HasSuffix(r.URL.Path, "/users") {
			return jsonReply(200, `{"entities":[`+strings.Repeat(`{"id":"u1"},{"id":"u2"},`, 19)+`{"id":"u1"},{"id":"u3"}],"total":40,"pageCount":1}`)
		}
		return jsonReply(200, `{"entities":[{"id":"r1","name":"Agent"}],"total":1,"pageCount":1}`)
	}}
	d, _ := open(t, f, nil)
	if ids, err := d.Holders(t.Context(), []string{"Agent"}); err != nil || !slices.Equal(ids, []string{"u1", "u2", "u3"}) {
		t.Errorf("%v, %v", ids, err)
	}
}

// Of the holders of a role nobody may be missing, however few there are: who is not shown would count as none.
func TestHoldersAreAll(t *testing.T) {
	for _, times := range []int{1, 2} {
		asked := 0
		f := &fake{api: func(r *http.Request, _ string) reply {
			if !strings.HasSuffix(r.URL.Path, "/users") {
				return jsonReply(200, `{"entities":[{"id":"r1","name":"Admin"}],"total":1,"pageCount":1}`)
			}
			if asked++; asked > times {
				return jsonReply(200, `{"entities":[{"id":"u1"},{"id":"u2"}],"total":2,"pageCount":1}`)
			}
			return jsonReply(200, `{"entities":[{"id":"u1"}],"total":2,"pageCount":1}`)
		}}
		d, _ := open(t, f, nil)
		ids, err := d.Holders(t.Context(), []string{"Admin"})
		if times == 1 && (err != nil || len(ids) != 2) || times == 2 && !errors.Is(err, apply.ErrListing) || asked != 2 {
			t.Errorf("incomplete %d times: %v, %v, asked %d times", times, ids, err, asked)
		}
	}
}

// A replacing answers requests below a path with a text, so many times, and the rest as the simulator does.
type replacing struct {
	to    http.RoundTripper
	path  string // of which the request's is, or begins with it if it ends in /
	body  string
	mu    sync.Mutex
	times int
	met   int
}

func (p *replacing) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	fits := r.URL.Path == p.path || strings.HasSuffix(p.path, "/") && strings.HasPrefix(r.URL.Path, p.path)
	replace := fits && p.met < p.times
	if fits {
		p.met++
	}
	p.mu.Unlock()
	if !replace {
		return p.to.RoundTrip(r)
	}
	return (&fake{api: func(*http.Request, string) reply { return jsonReply(200, p.body) }}).RoundTrip(r)
}

// Every other list that a decision rests on is held to the same: once odd it is read again, twice odd it is an
// error, and never the news that there is nothing.
func TestOtherListsThatCannotBe(t *testing.T) {
	const (
		none  = `{"entities":null,"total":7,"pageCount":1}`
		empty = `{"entities":[],"total":7,"pageCount":1}`
		short = `{"entities":[{"id":"x","name":"X","subjectId":"s"}],"total":70,"pageCount":1}`
	)
	ids := func(s *sim.Server) (all []string) {
		for _, u := range s.Users() {
			all = append(all, u.ID)
		}
		return all
	}
	check := func(kind spec.RefKind, name string) func(*genesys.Directory, *sim.Server) (any, error) {
		return func(d *genesys.Directory, _ *sim.Server) (any, error) {
			wrong, err := d.Check(t.Context(), []spec.Ref{{Kind: kind, Name: name}})
			return wrong, err
		}
	}
	details := func(f spec.Field, users int) func(*genesys.Directory, *sim.Server) (any, error) {
		return func(d *genesys.Directory, s *sim.Server) (any, error) {
			want, read := map[string][]spec.Field{}, map[string]spec.Value{}
			for _, id := range ids(s)[:users] {
				want[id] = []spec.Field{f}
			}
			var each error
			err := d.Details(t.Context(), want, func(now state.Observed, err error) error {
				read[now.ID] = now.Fields.Get(f)
				each = errors.Join(each, err)
				return nil
			})
			return fmt.Sprint(read), errors.Join(err, each)
		}
	}
	for name, c := range map[string]struct {
		path  string
		odd   []string
		read  func(*genesys.Directory, *sim.Server) (any, error)
		falls bool // to another way of reading, which goes well
	}{
		"skills":    {"/api/v2/routing/skills", []string{`{}`, none, empty, short}, check(spec.KindSkill, "Billing"), false},
		"languages": {"/api/v2/routing/languages", []string{`{}`, none, empty, short}, check(spec.KindLanguage, "Spanish"), false},
		"divisions": {"/api/v2/authorization/divisions", []string{`{}`, none, empty, short}, check(spec.KindDivision, "EMEA"), false},
		"roles":     {"/api/v2/authorization/roles", []string{`{}`, none, empty, short}, check(spec.KindRole, "Supervisor"), false},
		"queues":    {"/api/v2/routing/queues", []string{`{}`, none, empty, short}, check(spec.KindQueue, "Billing ES"), false},
		"groups":    {"/api/v2/groups", []string{`{}`, none, empty, short}, check(spec.KindGroup, "Madrid"), false},
		"locations": {"/api/v2/locations", []string{`{}`, none, empty, short}, check(spec.KindLocation, "Berlin"), false},
		"holders": {"/api/v2/authorization/roles/ROLE/users", []string{`{}`, none, empty, short}, func(d *genesys.Directory, _ *sim.Server) (any, error) {
			return d.Holders(t.Context(), []string{"Agent"})
		}, false},
		"individuals": {"/api/v2/groups/GROUP/individuals", []string{`{}`, none, `{"entities":[],"total":3}`}, func(d *genesys.Directory, _ *sim.Server) (any, error) {
			return d.Individuals(t.Context(), "Madrid")
		}, false},
		"own queues":   {"/api/v2/users/USER/queues", []string{`{}`, none, empty}, details(spec.Queues, 1), false},
		"own grants":   {"/api/v2/authorization/subjects/USER", []string{`{}`, `{"grants":null}`}, details(spec.Roles, 1), false},
		"external ids": {"/api/v2/users/USER/externalid", []string{`null`}, details(spec.ExternalIDs, 1), false},
		"utilization":  {"/api/v2/routing/users/USER/utilization", []string{`{}`}, details(spec.Utilization, 1), false},
		"standard":     {"/api/v2/routing/utilization", []string{`{}`}, details(spec.Utilization, 1), false},
		"grants":       {"/api/v2/authorization/divisions/DIVISION/grants", []string{`{}`, none, empty, short}, details(spec.Roles, 60), true},
		"members":      {"/api/v2/routing/queues/QUEUE/members", []string{`{}`, `{"entities":null}`}, details(spec.Queues, 60), true},
	} {
		for _, odd := range c.odd {
			var right string
			for _, times := range []int{0, 1, 2} {
				r := &replacing{body: odd, times: times}
				d, s := simulate(t, sim.Options{Users: 60, Full: true, Seed: 1, GrantLag: -1}, func(o *api.Options) { r.to, o.Transport = o.Transport, r })
				r.path = strings.NewReplacer("USER", ids(s)[0], "ROLE", s.IDOf(sim.Role, "Agent"), "GROUP", s.IDOf(sim.Group, "Madrid"), "QUEUE", s.IDOf(sim.Queue, "Billing ES"),
					"DIVISION", s.IDOf(sim.Division, "EMEA")).Replace(c.path)
				got, err := c.read(d, s)
				text := fmt.Sprint(got)
				switch {
				case times == 0:
					if right = text; err != nil || r.met == 0 {
						t.Fatalf("%s: %v, asked %d times", name, err, r.met)
					}
				case times == 1 || c.falls:
					if err != nil || text != right || r.met < 2 {
						t.Errorf("%s, %s %d times: %v, asked %d times\nhave %s\nwant %s", name, odd, times, err, r.met, text, right)
					}
				case !errors.Is(err, apply.ErrListing) || !strings.Contains(err.Error(), "; it was read twice"):
					t.Errorf("%s, %s twice: %v, %s", name, odd, err, text)
				}
			}
		}
	}
}
