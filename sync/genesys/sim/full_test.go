package sim_test

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usersyncd/sync/genesys/sim"
)

// A full organization has the same people as one that is not, and everything that there is of them.
func TestFull(t *testing.T) {
	o := sim.Options{Users: 120, Inactive: 5, Deleted: 3, Seed: 4}
	bare := sim.New(o)
	o.Full = true
	w, again := newOrg(t, o), sim.New(o)
	extra := cmpopts.IgnoreFields(sim.User{}, "Skills", "Languages", "ProfileSkills", "Locations", "Certifications", "Employer", "PreferredName", "Grants", "Division",
		"Utilization", "Voicemail", "ExternalIDs")
	if diff := cmp.Diff(bare.Users(), w.Users(), extra); diff != "" {
		t.Errorf("other people: %s", diff)
	}
	if diff := cmp.Diff(w.Users(), again.Users()); diff != "" {
		t.Errorf("not the same twice: %s", diff)
	}
	count := map[string]int{}
	for _, u := range w.Users() {
		r := w.must(http.MethodGet, users+"/"+u.ID+"?expand=skills,languages,locations,profileSkills,certifications,employerInfo,groups,authorization&state="+
			map[bool]string{true: "deleted", false: "active"}[u.State == "deleted"], "")
		n := map[string]int{}
		for _, list := range []string{"skills", "languages", "locations", "groups"} {
			n[list] = len(r.list(list))
		}
		if n["skills"] < 2 || n["skills"] > 5 || n["languages"] < 1 || n["languages"] > 3 || n["locations"] < 1 || n["groups"] < 1 || n["groups"] > 2 ||
			len(u.ProfileSkills) == 0 || len(u.Certifications) == 0 || u.Employer.DateHire == "" || (len(u.Grants) == 0) == (u.State == "active") || len(u.Grants) > 4 || u.Locations[0].Notes == "" {
			t.Errorf("%s", r.body)
		}
		for _, p := range u.Skills {
			if _, odd := math.Modf(p * 2); odd != 0 || p <= 0 || p > 5 {
				t.Errorf("proficiency %v", p)
			}
		}
		if auth, _ := r.json["authorization"].(object); (len(auth["roles"].([]any)) == 0) == (u.State == "active") {
			t.Errorf("%s", r.body)
		}
		q := strings.Count(w.Snapshot(u.ID), "9e000000-")
		if q < 1 || q > 3 {
			t.Errorf("%d queues", q)
		}
		count[u.Division]++
		if u.Utilization != nil {
			count["utilization"]++
		}
		if u.ExternalIDs != nil {
			count["external"]++
		}
	}
	if count[w.IDOf(sim.Division, "APAC")] < 20 || count["utilization"] != 41 || count["external"] != 62 {
		t.Errorf("%v", count)
	}
}

// Two snapshots differ if and only if something of the user does.
func TestSnapshot(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 30, Full: true})
	u := w.Users()[2]
	before := w.Snapshot(u.ID)
	if before == "" || before != w.Snapshot(strings.ToUpper(u.Email)) || w.Snapshot("nobody") != "" {
		t.Errorf("%s", before)
	}
	same := func(what string) {
		t.Helper()
		if diff := cmp.Diff(before, w.Snapshot(u.ID)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	edits := map[string]func(*sim.User){
		"nothing":     func(*sim.User) {},
		"order":       func(u *sim.User) { slices.Reverse(u.Grants) },
		"name":        func(u *sim.User) { u.Name += "x" },
		"skill":       func(u *sim.User) { u.Skills = map[string]float64{} },
		"language":    func(u *sim.User) { clear(u.Languages) },
		"profile":     func(u *sim.User) { u.ProfileSkills = nil },
		"place":       func(u *sim.User) { u.Locations[0].Notes = "x" },
		"grant":       func(u *sim.User) { u.Grants = u.Grants[1:] },
		"utilization": func(u *sim.User) { u.Utilization = &sim.Utilization{} },
		"voicemail":   func(u *sim.User) { u.Voicemail.AlertTimeoutSeconds++ },
		"external":    func(u *sim.User) { u.ExternalIDs = map[string]string{"hr": "x"} },
		"employer":    func(u *sim.User) { u.Employer.EmployeeID = "x" },
		"biography":   func(u *sim.User) { u.Biography = "" },
		"contacts":    func(u *sim.User) { u.Contacts = nil },
	}
	for what, edit := range edits {
		stored, _ := w.User(u.Email)
		w.Edit(u.Email, edit)
		if differs := w.Snapshot(u.ID) != before; differs == (what == "nothing" || what == "order") {
			t.Errorf("%s: differs %t", what, differs)
		}
		w.Edit(u.Email, func(u *sim.User) { *u = stored })
		same(what)
	}
	for kind, id := range map[sim.Kind]string{sim.Queue: w.IDOf(sim.Queue, "Complaints"), sim.Group: w.IDOf(sim.Group, "Coaches")} {
		members := w.Members(kind, id)
		if slices.Contains(members, u.ID) {
			members = slices.DeleteFunc(members, func(m string) bool { return m == u.ID })
		} else {
			members = append(members, u.ID)
		}
		w.SetMembers(kind, id, members...)
		if w.Snapshot(u.ID) == before {
			t.Errorf("the snapshot does not tell of a %s", kind)
		}
	}
}
