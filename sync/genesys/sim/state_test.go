package sim_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/sync/genesys/sim"
)

// What a user loses with a state, by which request ever, and does not get back with the next one.
func TestStateTakesAway(t *testing.T) {
	const u1 = users + "/u-1"
	patch := func(state string) func(*org) {
		return func(w *org) {
			u, _ := w.User("ana@example.com")
			w.must(http.MethodPatch, u1, fmt.Sprintf(`{"version":%d,"state":%q}`, u.Version, state))
		}
	}
	remove := func(w *org) { w.must(http.MethodDelete, u1, "") }
	put := func(w *org) { w.must(http.MethodPut, u1+"/state", `{"state":"inactive"}`) }
	byHand := func(w *org) { w.Edit("ana@example.com", func(u *sim.User) { u.State = "inactive" }) }
	for name, c := range map[string]struct {
		keep    bool
		do      []func(*org)
		rights  bool // what an inactive user loses is still there
		whole   bool // and what a deleted one loses
		deleted bool
	}{
		"inactive":           {false, []func(*org){patch("inactive")}, false, true, false},
		"inactive, PUT":      {false, []func(*org){put}, false, true, false},
		"inactive, by hand":  {false, []func(*org){byHand}, false, true, false},
		"inactive and back":  {false, []func(*org){patch("inactive"), patch("active")}, false, true, false},
		"deleted":            {false, []func(*org){remove}, false, false, true},
		"deleted, PATCH":     {false, []func(*org){patch("deleted")}, false, false, true},
		"restored":           {false, []func(*org){remove, patch("active")}, false, false, false},
		"other":              {false, []func(*org){func(w *org) { w.must(http.MethodPatch, u1, `{"version":1,"title":"T"}`) }}, true, true, false},
		"inactive, and kept": {true, []func(*org){patch("inactive")}, true, true, false},
		"deleted, and kept":  {true, []func(*org){remove}, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newOrg(t, sim.Options{KeepRights: c.keep})
			emea := w.IDOf(sim.Division, "EMEA")
			work := sim.Contact{MediaType: "PHONE", Type: "WORK", Address: "+12025550100", Extension: "4100", Pooled: true}
			home := sim.Contact{MediaType: "PHONE", Type: "HOME", Extension: "4101", Pooled: true}
			grants := []sim.Grant{{Role: w.IDOf(sim.Role, "Agent"), Division: emea}}
			skills := map[string]float64{w.IDOf(sim.Skill, "Billing"): 3}
			w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Division: emea, Station: "s-1", Grants: grants, Skills: skills,
				Contacts: []sim.Contact{work, home}, Version: 1})
			for _, do := range c.do {
				do(w)
			}
			got, _ := w.User("ana@example.com")
			want := sim.User{Grants: grants, Division: emea, Station: "s-1", Contacts: []sim.Contact{work, home}, Skills: skills}
			if !c.rights {
				want.Grants = nil
			}
			if !c.whole {
				work.Extension, work.Pooled = "", false
				want.Division, want.Station, want.Contacts = w.IDOf(sim.Division, "Home"), "", []sim.Contact{work}
			}
			part := sim.User{Grants: got.Grants, Division: got.Division, Station: got.Station, Contacts: got.Contacts, Skills: got.Skills}
			if diff := cmp.Diff(want, part); diff != "" {
				t.Errorf("(-want +stored):\n%s", diff)
			}
			state := map[bool]string{true: "deleted", false: "active"}[c.deleted]
			shown, _ := w.must(http.MethodGet, u1+"?expand=station&state="+state, "").json["station"].(object)
			if _, has := shown["defaultStation"]; has != c.whole {
				t.Errorf("station: %v", shown)
			}
		})
	}
}

// A new user has the role employee, unless an option says otherwise. Another has it spelled as the vendor does.
func TestNewUsersRole(t *testing.T) {
	for want, o := range map[string]sim.Options{"Employee@Home of ": {}, "employee@Home of ": {VendorRoles: true}, "": {NoDefaultRole: true}} {
		o.GrantLag = -1
		w := newOrg(t, o)
		id := w.must(http.MethodPost, users, `{"name":"Ana","email":"ana@example.com"}`).text("id")
		if got := w.must(http.MethodGet, subjects+"/"+id, "").granted("grants"); want != "" && got != want+id || want == "" && got != "" {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
