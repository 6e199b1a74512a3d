package sim_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"usersyncd/sync/genesys/sim"
)

func TestCreate(t *testing.T) {
	w := newOrg(t, sim.Options{Deleted: 1})
	r := w.must(http.MethodPost, users, `{"name":"Ana Silva","email":"Ana@Example.com"}`)
	if r.status != 200 || r.number("version") != 1 || r.text("state") != "inactive" || r.text("username") != "Ana@Example.com" || len(r.text("id")) != 36 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if division, _ := r.json["division"].(object); division["name"] != "Home" {
		t.Errorf("division %v", division)
	}
	full := w.must(http.MethodPost, users, `{"name":"Bob","email":"bob@example.com","state":"active","title":"T","department":"D","password":"p",
		"divisionId":"d0000000-0000-4000-8000-000000000001","addresses":[{"address":"+12025550100"}]}`)
	u, _ := w.User("bob@example.com")
	want := sim.User{ID: full.text("id"), Name: "Bob", Email: "bob@example.com", State: "active", Texts: sim.Texts{Title: "T", Department: "D"}, Division: u.Division,
		Grants:   []sim.Grant{{Role: w.IDOf(sim.Role, "Employee"), Division: w.IDOf(sim.Division, "Home")}},
		Contacts: []sim.Contact{{MediaType: "PHONE", Type: "WORK", Address: "+12025550100"}}, Version: 1, Writes: 1}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Error(diff)
	}
	if r := newOrg(t, sim.Options{CreatedStatus: 201}).call(http.MethodPost, users, `{"name":"a","email":"a@example.com"}`); r.status != 201 {
		t.Errorf("status %d, want 201", r.status)
	}

	before := len(w.Users())
	for _, body := range []string{
		`{}`, `{"email":"c@example.com"}`, `{"name":"","email":"c@example.com"}`, `{"name":"C"}`, `{"name":"C","email":""}`, `{"name":"C","email":"c"}`,
		`{"name":"C","email":"C <c@example.com>"}`, `{"name":"C","email":" c@example.com"}`, `{"name":"C","email":"c@example.com","state":"deleted"}`,
		`{"name":"C","email":"c@example.com","state":"Active"}`, `{"name":"C","email":"c@example.com","divisionId":"x"}`,
		`{"name":"C","email":"c@example.com","addresses":[{}]}`, `{"name":"C","email":"c@example.com","preferredName":"C"}`,
	} {
		w.refused(w.call(http.MethodPost, users, body), 400, "bad.request")
	}
	deleted := w.first().Email
	for _, email := range []string{"ana@example.com", "BOB@EXAMPLE.COM", deleted} { // inactive, active, deleted
		w.refused(w.call(http.MethodPost, users, `{"name":"C","email":"`+email+`"}`), 409, "general.conflict")
	}
	if n := len(w.Users()); n != before {
		t.Errorf("%d users were made", n-before)
	}
	if n := w.Ledger().Creates["bob@example.com"]; n != 2 {
		t.Errorf("the ledger has %d creations of bob, want 2", n)
	}
}

// Each field of a PATCH changes that field and the version, and nothing else.
func TestPatchFields(t *testing.T) {
	for body, edit := range map[string]func(*sim.User){
		``:                                  func(*sim.User) {},
		`"name":"New"`:                      func(u *sim.User) { u.Name = "New" },
		`"email":"new@example.com"`:         func(u *sim.User) { u.Email = "new@example.com" },
		`"email":"ANA@example.com"`:         func(u *sim.User) { u.Email = "ANA@example.com" }, // one's own
		`"username":"ana"`:                  func(u *sim.User) { u.Username = "ana" },
		`"title":"New"`:                     func(u *sim.User) { u.Title = "New" },
		`"title":""`:                        func(u *sim.User) { u.Title = "" },
		`"title":null`:                      func(*sim.User) {},
		`"department":""`:                   func(u *sim.User) { u.Department = "" },
		`"preferredName":"A"`:               func(u *sim.User) { u.PreferredName = "A" },
		`"manager":""`:                      func(u *sim.User) { u.Manager = "" },
		`"manager":"u-2"`:                   func(u *sim.User) { u.Manager = "u-2" },
		`"acdAutoAnswer":true`:              func(u *sim.User) { u.ACDAutoAnswer = true },
		`"certifications":[]`:               func(u *sim.User) { u.Certifications = []string{} },
		`"certifications":["B","A"]`:        func(u *sim.User) { u.Certifications = []string{"B", "A"} },
		`"employerInfo":{"employeeId":"7"}`: func(u *sim.User) { u.Employer = sim.Employer{EmployeeID: "7"} },
		`"employerInfo":{"employeeType":"Contractor","dateHire":"2024-02-29"}`: func(u *sim.User) {
			u.Employer = sim.Employer{EmployeeType: "Contractor", DateHire: "2024-02-29"}
		},
		`"addresses":[]`: func(u *sim.User) { u.Contacts = []sim.Contact{} },
		`"addresses":[{"mediaType":"EMAIL","type":"HOME","address":"a@home.example"}]`: func(u *sim.User) {
			u.Contacts = []sim.Contact{{MediaType: "EMAIL", Type: "HOME", Address: "a@home.example"}}
		},
		`"divisionId":"elsewhere"`:          func(*sim.User) {},
		`"state":"inactive"`:                func(u *sim.User) { u.State = "inactive" },
		`"state":"deleted"`:                 func(u *sim.User) { u.State, u.Contacts = "deleted", []sim.Contact{} }, // an extension alone
		`"state":"inactive","title":"lost"`: func(u *sim.User) { u.State = "inactive" },
	} {
		w := newOrg(t, sim.Options{})
		want := w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Texts: sim.Texts{Title: "T", Department: "D"}, Manager: "u-3", Biography: "B", Version: 4,
			Certifications: []string{"X"}, Employer: sim.Employer{OfficialName: "O"}, Contacts: []sim.Contact{{MediaType: "PHONE", Type: "HOME", Extension: "41", Pooled: true}}})
		w.Add(sim.User{ID: "u-2", Name: "Bob", Email: "bob@example.com"})
		edit(&want)
		want.Version, want.Writes = 5, 1
		comma := ""
		if body != "" {
			comma = ","
		}
		r := w.must(http.MethodPatch, users+"/u-1", `{"version":4`+comma+body+`}`)
		if diff := cmp.Diff(want, w.first()); diff != "" || r.number("version") != 5 || r.text("id") != "u-1" || r.text("name") != want.Name {
			t.Errorf("%s answers %s (-want +stored):\n%s", body, r.body, diff)
		}
		if other, _ := w.User("bob@example.com"); other.Version != 1 {
			t.Errorf("%s changed another user", body)
		}
	}
}

func TestPatchRefuses(t *testing.T) {
	w := newOrg(t, sim.Options{RejectMixedState: true})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
	w.Add(sim.User{ID: "u-2", Name: "Gone", Email: "gone@example.com", State: "deleted"})
	before := w.first()
	for body, status := range map[string]int{
		`"name":""`: 400, `"email":""`: 400, `"email":"x"`: 400, `"email":"GONE@example.com"`: 409, `"manager":"nobody"`: 400, `"manager":"u-2"`: 400,
		`"state":"gone"`: 400, `"state":""`: 400, `"state":"inactive","title":"x"`: 400, `"title":1`: 400, `"manager":{"id":"u-1"}`: 400,
		`"employerInfo":{"employeeType":"Boss"}`: 400, `"employerInfo":{"employeeType":"","employeeId":"7"}`: 400, `"primaryContactInfo":[]`: 400, `"skills":[]`: 400,
	} {
		code := map[int]string{400: "bad.request", 409: "general.conflict"}[status]
		w.refused(w.call(http.MethodPatch, users+"/u-1", `{"version":1,`+body+`}`), status, code)
	}
	w.refused(w.call(http.MethodPatch, users+"/u-1", `{"version":1,"employerInfo":{"dateHire":"2024-02-30"}}`), 400, "invalid.date")
	w.refused(w.call(http.MethodPatch, users+"/u-1", `{"version":1,"employerInfo":{"dateHire":""}}`), 400, "invalid.date")
	w.refused(w.call(http.MethodPatch, users+"/u-1", `{"title":"x"}`), 400, "bad.request")
	w.refused(w.call(http.MethodPatch, users+"/nobody", `{"version":1}`), 404, "not.found")
	w.refused(w.call(http.MethodPatch, users+"/u-2", `{"version":1,"title":"x"}`), 404, "not.found")
	if diff := cmp.Diff(before, w.first()); diff != "" {
		t.Error(diff)
	}
}

// A wrong version is said as 409 and as 400 with a text, by turns.
func TestVersionMismatch(t *testing.T) {
	w := newOrg(t, sim.Options{})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Version: 4})
	w.Edit("ana@example.com", func(u *sim.User) { u.Title = "by hand" })
	seen := map[int]int{}
	for _, version := range []int{4, 6, 0, -1, 3, 99} {
		r := w.call(http.MethodPatch, users+"/u-1", fmt.Sprintf(`{"version":%d,"title":"x"}`, version))
		seen[r.status]++
		if r.status == 409 {
			w.refused(r, 409, "general.conflict")
		} else {
			w.refused(r, 400, "bad.request")
			if want := fmt.Sprintf("The version %d does not match the current version 5.", version); r.text("message") != want {
				t.Errorf("%s, want %s", r.text("message"), want)
			}
		}
	}
	if seen[409] != 3 || seen[400] != 3 {
		t.Errorf("%v, want half and half", seen)
	}
	if u := w.first(); u.Version != 5 || u.Title != "by hand" {
		t.Errorf("%+v", u)
	}
}

func TestDeleteAndRestore(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		w := newOrg(t, sim.Options{RestoreForgets: forgets})
		w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Texts: sim.Texts{Title: "T"}, Manager: "u-1", Certifications: []string{"X"}})
		const self = users + "/u-1"
		w.must(http.MethodDelete, self, "")
		w.refused(w.call(http.MethodDelete, self, ""), 404, "user.not.found.on.delete")
		w.refused(w.call(http.MethodDelete, users+"/nobody", ""), 404, "user.not.found.on.delete")
		w.refused(w.call(http.MethodGet, self, ""), 404, "not.found")
		for query, want := range map[string]int{"": 0, "?state=inactive": 0, "?state=deleted": 1, "?state=any": 1} {
			if n := w.must(http.MethodGet, users+query, "").number("total"); n != want {
				t.Errorf("%d are listed with %q", n, query)
			}
		}
		gone := w.must(http.MethodGet, self+"?state=deleted", "")
		if gone.number("version") != 2 || gone.text("state") != "deleted" {
			t.Errorf("%s", gone.body)
		}
		w.refused(w.call(http.MethodPatch, self, `{"version":2,"title":"x"}`), 404, "not.found")
		back := w.must(http.MethodPatch, self, `{"version":2,"state":"inactive"}`)
		if back.number("version") != 3 || back.text("state") != "inactive" || back.text("title") != "T" {
			t.Errorf("%s", back.body)
		}
		w.refused(w.call(http.MethodGet, self+"?state=deleted", ""), 404, "not.found")
		w.must(http.MethodGet, self, "") // inactive users need not be asked for
		if u := w.first(); (u.Manager == "") != forgets || (len(u.Certifications) == 0) != forgets || u.Writes != 2 {
			t.Errorf("forgets %t: %+v", forgets, u)
		}
	}
}

func TestBulk(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 52, Deleted: 1})
	all := w.Users()
	items := func(n int) string {
		s := ""
		for _, u := range all[:n] {
			s += fmt.Sprintf(`,{"id":%q,"acdAutoAnswer":true}`, u.ID)
		}
		return "[" + s[1:] + "]"
	}
	for _, body := range []string{
		items(51), `{}`, `[{"id":"` + all[0].ID + `"}]`, `[{"id":"nobody","acdAutoAnswer":true}]`, `[{"id":"` + all[52].ID + `","acdAutoAnswer":true}]`,
		`[{"id":"` + all[0].ID + `","acdAutoAnswer":true,"title":"x"}]`, `[{"id":"` + all[0].ID + `","acdAutoAnswer":true,"version":1}]`,
		`[{"id":"` + all[0].ID + `","acdAutoAnswer":true},{"id":"nobody","acdAutoAnswer":true}]`,
	} {
		w.refused(w.call(http.MethodPatch, users+"/bulk", body), 400, "bad.request")
	}
	if diff := cmp.Diff(all, w.Users()); diff != "" {
		t.Fatal(diff)
	}
	r := w.must(http.MethodPatch, users+"/bulk", items(50))
	if len(r.list("entities")) != 50 || r.number("total") != 50 || r.list("entities")[0]["acdAutoAnswer"] != true {
		t.Errorf("%.200s", r.body)
	}
	for i, u := range w.Users() {
		if want := i < 50; u.ACDAutoAnswer != want || (u.Version > all[i].Version) != want {
			t.Errorf("user %d: %+v", i, u)
		}
	}
}

func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{})
		w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Version: 7})
		const self = users + "/u-1/state"
		if r := w.must(http.MethodGet, self, ""); r.text("state") != "active" || r.number("version") != 1 || r.json["stateChangeDate"] != nil {
			t.Errorf("%s", r.body)
		}
		r := w.must(http.MethodPut, self, `{"state":"inactive","version":1,"stateChangeReason":"Leave"}`)
		if r.number("version") != 2 || r.text("stateChangeReason") != "Leave" || r.text("stateChangeDate") == "" {
			t.Errorf("%s", r.body)
		}
		if u := w.first(); u.State != "inactive" || u.Version != 8 || u.Writes != 1 {
			t.Errorf("%+v", u)
		}
		w.must(http.MethodPatch, users+"/u-1", `{"version":8,"state":"active"}`) // counts there, too
		w.must(http.MethodPatch, users+"/u-1", `{"version":9,"title":"x"}`)      // and this does not
		for range 2 {
			if r := w.call(http.MethodPut, self, `{"state":"inactive","version":2}`); r.status != 409 && r.status != 400 {
				t.Errorf("%d %s", r.status, r.body)
			}
		}
		for _, body := range []string{`{}`, `{"state":"gone"}`, `{"state":"inactive","stateChangeReason":"Mood"}`, `{"state":"inactive","title":"x"}`} {
			w.refused(w.call(http.MethodPut, self, body), 400, "bad.request")
		}
		if r := w.must(http.MethodPut, self, `{"state":"deleted","version":3}`); r.number("version") != 4 {
			t.Errorf("%s", r.body)
		}
		if r := w.must(http.MethodGet, self, ""); r.text("state") != "deleted" {
			t.Errorf("%s", r.body)
		}
		w.must(http.MethodPut, self, `{"state":"active"}`)
		w.refused(w.call(http.MethodPut, users+"/nobody/state", `{"state":"active"}`), 404, "not.found")
	})
}

// A user's place on the plan of a location is stored and shown, and gone where a PATCH leaves it out.
func TestCoordinates(t *testing.T) {
	w := newOrg(t, sim.Options{})
	berlin := w.IDOf(sim.Location, "Berlin")
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
	for version, c := range []struct {
		sent  string
		shown any
	}{{`,"coordinates":{"x":1.5,"y":2}`, object{"x": 1.5, "y": 2.0}}, {``, nil}} {
		w.must(http.MethodPatch, users+"/u-1", fmt.Sprintf(`{"version":%d,"locations":[{"id":%q%s}]}`, version+1, berlin, c.sent))
		list := w.must(http.MethodGet, users+"/u-1?expand=locations", "").list("locations")
		if len(list) != 1 || !cmp.Equal(list[0]["coordinates"], c.shown) {
			t.Errorf("sent %q, shown %v", c.sent, list)
		}
	}
}

// The address of a deleted user is taken, or a create makes a second account: help says that it may.
func TestAddressOfADeletedUser(t *testing.T) {
	for _, free := range []bool{false, true} {
		w := newOrg(t, sim.Options{DeletedFree: free, IndexLag: -1})
		const ana = `{"name":"Ana","email":"Ana@example.com"}`
		first := w.must(http.MethodPost, users, `{"name":"Ana","email":"ana@example.com"}`).text("id")
		w.refused(w.call(http.MethodPost, users, ana), 409, "general.conflict")
		w.must(http.MethodDelete, users+"/"+first, "")
		second := w.call(http.MethodPost, users, ana)
		if !free {
			w.refused(second, 409, "general.conflict")
			continue
		}
		if second.status != 200 || second.text("id") == first {
			t.Fatalf("%d %s", second.status, second.body)
		}
		for state, id := range map[string]string{"deleted": first, "inactive": second.text("id")} {
			criteria := `{"query":[{"type":"EXACT","fields":["email"],"value":"ana@example.com"},{"type":"EXACT","fields":["state"],"value":"` + state + `"}]}`
			if list := w.must(http.MethodPost, users+"/search", criteria).list("results"); len(list) != 1 || list[0]["id"] != id {
				t.Errorf("%s: %v", state, list)
			}
			if list := w.must(http.MethodGet, users+"?state="+state, "").list("entities"); len(list) != 1 || list[0]["id"] != id {
				t.Errorf("%s: %v", state, list)
			}
		}
		w.refused(w.call(http.MethodPatch, users+"/"+first, `{"version":2,"state":"active"}`), 409, "general.conflict")
		w.refused(w.call(http.MethodPost, users, ana), 409, "general.conflict")
	}
}
