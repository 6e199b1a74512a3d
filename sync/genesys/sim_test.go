package genesys_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// simulate makes a directory on a simulated organization. At its end nothing unreal was asked for.
func simulate(t *testing.T, so sim.Options, adjust func(*api.Options)) (*genesys.Directory, *sim.Server) {
	t.Helper()
	if so.IndexLag == 0 {
		so.IndexLag = -1
	}
	if so.Quota.Limit == 0 {
		so.Quota.Limit = 1 << 20 // most of these tests are not about the quota
	}
	s := sim.New(so)
	d, _ := open(t, &fake{}, func(o *api.Options) {
		o.ClientID, o.ClientSecret, o.Transport = "demo", "demo", s.Transport()
		if adjust != nil {
			adjust(o)
		}
	})
	t.Cleanup(func() {
		if unreal := s.Ledger().Unreal; len(unreal) > 0 {
			t.Errorf("asked for what the API does not have: %v", unreal)
		}
	})
	return d, s
}

// apply makes the calls of a change, as a pass would, and returns what is then known of the user.
func applyAll(ctx context.Context, d *genesys.Directory, c *plan.Change) (state.Observed, error) {
	var now []state.Observed
	for _, call := range d.Compile([]*plan.Change{c}) {
		var err error
		if now, err = d.Do(ctx, call); err != nil {
			return state.Observed{}, err
		}
		c.Current = &state.User{Observed: now[0]}
	}
	return now[0], nil
}

func TestSimulatedListing(t *testing.T) {
	d, s := simulate(t, sim.Options{Users: 1203, Inactive: 510, Deleted: 7, Seed: 1}, nil)
	l, err := list(t.Context(), d, spec.Certs, spec.Employer)
	if err != nil || len(l.Users) != 1203 || !l.Complete() {
		t.Fatalf("%d users, complete %t, %v", len(l.Users), l.Complete(), err)
	}
	if n := s.Ledger().Count("GET /api/v2/users"); n != 4 {
		t.Errorf("%d pages, want 2 and 2", n)
	}
	byID := map[string]sim.User{}
	for _, u := range s.Users() {
		byID[u.ID] = u
	}
	for _, u := range l.Users {
		there := byID[u.ID]
		manager := spec.Text("")
		if there.Manager != "" {
			manager = spec.Text("id:" + there.Manager)
		}
		want := spec.FieldsOf(map[spec.Field]spec.Value{
			spec.Email: spec.Text(spec.Key(there.Email)), spec.Name: spec.Text(there.Name), spec.State: spec.Text(there.State),
			spec.Title: spec.Text(there.Title), spec.Department: spec.Text(there.Department), spec.PreferredName: spec.Text(there.PreferredName),
			spec.Manager: manager, spec.ACDAutoAnswer: spec.Bool(there.ACDAutoAnswer), spec.Certs: spec.Strings(there.Certifications),
			spec.Employer: spec.EmployerOf(spec.EmployerInfo{OfficialName: there.Employer.OfficialName, EmployeeID: there.Employer.EmployeeID, EmployeeType: there.Employer.EmployeeType, DateHire: there.Employer.DateHire}),
			spec.Phones:   u.Fields.Get(spec.Phones), spec.Emails: u.Fields.Get(spec.Emails), spec.Division: spec.Text("Home"),
		})
		if diff := cmp.Diff(want, withoutNew(u, state.Observed{Fields: want}).Fields); diff != "" || u.Version != there.Version {
			t.Fatalf("%s (-there +observed):\n%s", there.Email, diff)
		}
		one, err := d.Get(t.Context(), u.ID, spec.Certs, spec.Employer)
		if err != nil || !cmp.Equal(one, u) {
			t.Fatalf("read alone: %s, %v", cmp.Diff(u, one), err)
		}
	}
}

// The last page is the one that would end beyond the cap, even if it begins before.
func TestSimulatedCap(t *testing.T) {
	// A client that does not see every division may not go on by cursor.
	d, s := simulate(t, sim.Options{Users: 10_151, Inactive: 10_100, Seed: 1, Hide: 10_151}, func(o *api.Options) { o.PageSize = 499 })
	l, err := list(t.Context(), d)
	if err != nil || l.Complete() || len(l.Users) != 51+20*499 {
		t.Errorf("%d users, complete %t, %v", len(l.Users), l.Complete(), err)
	}
	if n := s.Ledger().Count("GET /api/v2/users", 400); n != 1 {
		t.Errorf("%d pages were refused", n)
	}
}

// Beyond the cap it goes on by cursor, for whoever may see every division.
func TestSimulatedBeyondTheCap(t *testing.T) {
	d, s := simulate(t, sim.Options{Users: 10_750, Inactive: 10_700, Seed: 1}, nil)
	l, err := list(t.Context(), d)
	if err != nil || !l.Complete() || len(l.Users) != 10_750 {
		t.Errorf("%d users, complete %t, %v", len(l.Users), l.Complete(), err)
	}
	if n := s.Ledger().Count("GET /api/v2/users/query", 200); n != 22 {
		t.Errorf("%d pages by cursor", n)
	}
}

// A field that the API left out of a listing is unknown, and not empty.
func TestSimulatedDroppedExpands(t *testing.T) {
	d, _ := simulate(t, sim.Options{Users: 30, Seed: 1, DropExpands: 3}, nil)
	l, err := list(t.Context(), d, spec.Certs)
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for _, u := range l.Users {
		if _, ok := u.Fields.Lookup(spec.Certs); !ok {
			missing++
		}
	}
	if missing != 10 {
		t.Errorf("%d of 30 users without certifications, want 10", missing)
	}
}

// Everything there is to send is written, reads back the same in both states of the PATCH rule, and
// costs the calls it should.
func TestSimulatedLife(t *testing.T) {
	for _, strict := range []bool{false, true} {
		d, s := simulate(t, sim.Options{Users: 3, Seed: 1, CreatedStatus: 201, RejectMixedState: strict}, nil)
		ctx := t.Context()
		boss := s.Users()[0]
		desired := spec.FieldsOf(map[spec.Field]spec.Value{
			spec.Email: ana, spec.Name: spec.Text("Ana Pérez"), spec.State: active, spec.Title: spec.Text("Lead"),
			spec.Department: spec.Text("Support"), spec.Manager: spec.Text(spec.Key(boss.Email)), spec.PreferredName: spec.Text("Ana"),
			spec.ACDAutoAnswer: spec.Bool(true), spec.Certs: spec.Strings([]string{"PCI"}), spec.Phones: phones, spec.Emails: emails,
			spec.Employer: spec.EmployerOf(spec.EmployerInfo{OfficialName: "Ana", EmployeeID: "007", EmployeeType: "Full-time", DateHire: "2024-03-01"}),
		})
		holds := func(what string, now state.Observed, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if now, err = d.Get(ctx, now.ID, spec.Certs, spec.Employer); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for f, want := range desired.All() {
				have := now.Fields.Get(f)
				if f == spec.Manager && want != spec.Text("") {
					want = spec.Text("id:" + boss.ID)
				}
				if !spec.Equal(f, want, have) {
					t.Errorf("%s: %s is %s, want %s", what, f, have, want)
				}
			}
		}
		if _, err := list(ctx, d); err != nil {
			t.Fatal(err)
		}
		s.ResetLedger()
		create := differing(plan.Create, nil, desired)
		now, err := applyAll(ctx, d, create)
		holds("create", now, err)

		desired.Set(spec.State, inactive)
		desired = desired.With(spec.FieldsOf(map[spec.Field]spec.Value{
			spec.Title: spec.Text(""), spec.Department: spec.Text(""), spec.Manager: spec.Text(""), spec.PreferredName: spec.Text(""),
			spec.ACDAutoAnswer: spec.Bool(false), spec.Certs: spec.Strings(nil), spec.Phones: spec.PhoneList(nil),
			spec.Emails: spec.EmailList(nil), spec.Employer: spec.EmployerOf(spec.EmployerInfo{}),
		}))
		now, err = applyAll(ctx, d, differing(plan.Update, create.Current, desired))
		holds("empty", now, err)

		s.Edit("ana@example.com", func(u *sim.User) { u.State = "deleted" })
		gone, err := d.Find(ctx, "ana@example.com")
		if err != nil || gone.Fields.Get(spec.State) != spec.Text("deleted") {
			t.Fatalf("%+v, %v", gone, err)
		}
		if _, err := applyAll(ctx, d, differing(plan.Create, nil, desired)); !errors.Is(err, apply.ErrConflict) {
			t.Errorf("the address of a deleted user: %v", err)
		}
		desired.Set(spec.State, active)
		desired.Set(spec.Title, spec.Text("Coach"))
		desired.Set(spec.Email, spec.Text("ana.married@example.com"))
		now, err = applyAll(ctx, d, differing(plan.Restore, &state.User{Observed: gone}, desired))
		holds("restore", now, err)

		ledger := s.Ledger()
		if posts, patches := ledger.Count("POST /api/v2/users"), ledger.Count("PATCH /api/v2/users/{id}"); posts != 2 || patches != 1+2+2 {
			t.Errorf("%d POST, %d PATCH: %v", posts, patches, ledger.Calls)
		}
	}
}

// What is not managed stays, to the byte, whatever else of the user is written.
func TestSimulatedUnmanagedStays(t *testing.T) {
	d, s := simulate(t, sim.Options{Users: 60, Seed: 7}, nil)
	l, err := list(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	writes := map[spec.Field]spec.Value{
		spec.Name: spec.Text("New Name"), spec.Title: spec.Text(""), spec.Emails: emails, spec.Phones: phones,
		spec.ACDAutoAnswer: spec.Bool(true), spec.Certs: spec.Strings([]string{"X"}), spec.State: inactive,
	}
	before := map[string]sim.User{}
	for _, u := range s.Users() {
		before[u.ID] = u
	}
	for _, u := range l.Users {
		desired := spec.Fields{}
		for f, v := range writes {
			if r.IntN(3) == 0 {
				desired.Set(f, v)
			}
		}
		if len(desired) == 0 {
			continue
		}
		if _, err := applyAll(t.Context(), d, differing(plan.Update, &state.User{Observed: u}, desired)); err != nil {
			t.Fatal(err)
		}
		mail := spec.Key(before[u.ID].Email)
		now, _ := s.User(mail)
		want := before[u.ID]
		want.Version, want.Writes = now.Version, now.Writes
		for f := range desired.All() {
			switch f {
			case spec.Name:
				want.Name = "New Name"
			case spec.Title:
				want.Title = ""
			case spec.ACDAutoAnswer:
				want.ACDAutoAnswer = true
			case spec.Certs:
				want.Certifications = []string{"X"}
			case spec.State:
				want.State = "inactive"
			}
		}
		kinds := func(u sim.User) map[string]sim.Contact {
			kept := map[string]sim.Contact{}
			for _, c := range u.Contacts {
				field := spec.Phones
				if c.MediaType == "EMAIL" {
					field = spec.Emails
				}
				if _, managed := desired.Lookup(field); !managed {
					c.Pooled = c.Pooled && c.Extension != "" // else it means nothing
					kept[c.MediaType+" "+c.Type] = c
				}
			}
			return kept
		}
		if diff := cmp.Diff(kinds(want), kinds(now)); diff != "" {
			t.Errorf("%s, writing %v: contacts (-were +are):\n%s", mail, desired, diff)
		}
		want.Contacts, now.Contacts = nil, nil
		if diff := cmp.Diff(want, now); diff != "" {
			t.Errorf("%s, writing %v (-want +is):\n%s", mail, desired, diff)
		}
	}
}

// What the simulator's faults do to a write, and how often it is sent.
func TestSimulatedFaults(t *testing.T) {
	for fault, kind := range map[string]error{
		"PATCH lost":             apply.ErrUncertain,
		"PATCH drop":             apply.ErrUncertain,
		"PATCH truncated":        apply.ErrUncertain,
		"PATCH html":             apply.ErrUncertain,
		"PATCH slow=31s":         apply.ErrUncertain,
		"PATCH 503":              apply.ErrUncertain,
		"PATCH 408":              apply.ErrUncertain,
		"PATCH 400":              apply.ErrRefused,
		"PATCH 403":              apply.ErrForbidden,
		"PATCH 404":              apply.ErrNotFound,
		"PATCH conflict409":      apply.ErrConflict,
		"PATCH conflict400":      apply.ErrConflict,
		"PATCH spurious":         apply.ErrConflict,
		"PATCH edited":           apply.ErrConflict,
		"PATCH revoked":          apply.ErrRefused, // as the other requests are accepted
		"PATCH x1 revoked":       nil,
		"PATCH x3 429":           nil,
		"GET x3 503":             nil,
		"GET x5 lost":            nil,
		"GET x1 slow=40s":        nil,
		"POST /oauth/token 503":  nil, // not the API's: nothing there matches
		"GET x2 truncated":       nil,
		"GET 5% html":            nil,
		"PATCH x1 slow=29s":      nil,
		"* x2 429 retry-after=1": nil,
	} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := simulate(t, sim.Options{Users: 5, Seed: 1}, nil)
				f, err := sim.ParseFault(fault)
				if err != nil {
					t.Fatal(err)
				}
				s.AddFault(f)
				u, err := d.Get(t.Context(), s.Users()[0].ID)
				if err != nil {
					t.Fatal(err)
				}
				_, err = applyAll(t.Context(), d, differing(plan.Update, &state.User{Observed: u}, spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text("Lead")})))
				if !errors.Is(err, kind) {
					t.Errorf("error %v, want %v", err, kind)
				}
				if n := s.Users()[0].Writes; n > 1 {
					t.Errorf("written %d times", n)
				}
			})
		})
	}
}

func TestSimulatedPermissionAndReadOnly(t *testing.T) {
	for forbid, change := range map[string]*plan.Change{
		"directory:user:edit": differing(plan.Update, known(nil), spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text("x")})),
		"directory:user:add":  differing(plan.Create, nil, spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: ana, spec.Name: spec.Text("A")})),
	} {
		d, _ := simulate(t, sim.Options{Users: 1, Forbid: forbid}, nil)
		if _, err := applyAll(t.Context(), d, change); !errors.Is(err, apply.ErrForbidden) {
			t.Errorf("%s: %v", forbid, err)
		}
	}
	d, s := simulate(t, sim.Options{Users: 2}, func(o *api.Options) { o.ReadOnly = true })
	l, err := list(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Find(t.Context(), s.Users()[0].Email); err != nil {
		t.Error(err)
	}
	_, err = applyAll(t.Context(), d, differing(plan.Update, &state.User{Observed: l.Users[0]}, spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text("x")})))
	if !errors.Is(err, api.ErrReadOnly) || s.Ledger().Count("PATCH /api/v2/users/{id}") > 0 {
		t.Errorf("%v, %v", err, s.Ledger().Calls)
	}
}

// Hours at the quota with short-lived tokens: nothing fails, no token more than needed, no 429.
func TestSimulatedHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{Rand: rand.New(rand.NewPCG(1, 1))}))
		d, s := simulate(t, sim.Options{Users: 3000, Seed: 1, TokenLife: 5 * time.Minute, Quota: sim.Quota{Limit: 300}, Latency: 50 * time.Millisecond}, func(o *api.Options) {
			o.Limiter = limiter
		})
		began := time.Now()
		l, err := list(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		var changes []*plan.Change
		for i, u := range l.Users {
			changes = append(changes, differing(plan.Update, &state.User{Observed: u}, spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text(fmt.Sprint("Agent ", i))})))
		}
		queue := make(chan *apply.Call)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for c := range queue {
					if _, err := d.Do(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, c := range d.Compile(changes) {
			queue <- c
		}
		close(queue)
		wg.Wait()
		spent, ledger := time.Since(began), s.Ledger()
		t.Logf("3000 users took %v, %d tokens, %d of 429", spent, ledger.Tokens, ledger.Throttled)
		if most := int(spent/(4*time.Minute)) + 1; ledger.Tokens > most {
			t.Errorf("%d tokens in %v, want %d", ledger.Tokens, spent, most)
		}
		if ledger.Throttled > 0 || ledger.Count("PATCH /api/v2/users/{id}", 200) != 3000 {
			t.Errorf("%+v", ledger.Calls)
		}
	})
}
