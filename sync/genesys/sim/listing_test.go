package sim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// emailsOf lists who is stored, in a state or any.
func (w *org) emailsOf(state string) []string {
	var all []string
	for _, u := range w.Users() {
		if state == "any" || u.State == state {
			all = append(all, u.Email)
		}
	}
	return all
}

func TestPages(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 130, Inactive: 31, Deleted: 12})
	for _, c := range []struct {
		query, state     string
		size, count, num int
	}{
		{"", "active", 25, 4, 1},
		{"?pageNumber=4", "active", 25, 4, 4},
		{"?pageNumber=5", "active", 25, 4, 5}, // beyond the end
		{"?pageSize=500", "active", 500, 1, 1},
		{"?pageSize=33&pageNumber=2", "active", 33, 3, 2},
		{"?pageSize=10&pageNumber=4&state=inactive", "inactive", 10, 4, 4},
		{"?state=deleted", "deleted", 25, 1, 1},
		{"?pageSize=71&pageNumber=2&state=any", "any", 71, 2, 2},
	} {
		want := w.emailsOf(c.state)
		r := w.must(http.MethodGet, users+c.query, "")
		if r.number("total") != len(want) || r.number("pageCount") != c.count || r.number("pageSize") != c.size || r.number("pageNumber") != c.num {
			t.Errorf("%s: %.200s", c.query, r.body)
		}
		first := min((c.num-1)*c.size, len(want))
		if got := r.emails("entities"); got != strings.Join(want[first:min(first+c.size, len(want))], " ") {
			t.Errorf("%s: %s", c.query, got)
		}
		for name, there := range map[string]bool{"firstUri": true, "lastUri": true, "selfUri": true, "nextUri": c.num < c.count, "previousUri": c.num > 1} {
			if (r.text(name) != "") != there {
				t.Errorf("%s: %s is %q", c.query, name, r.text(name))
			}
		}
	}
}

// Following the links from either end shows everybody once, whatever else the query says.
func TestPageLinks(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 53})
	want := w.emailsOf("any")
	for _, order := range []string{"ASC", "DESC", "descending"} {
		var got, back []string
		uri, last := users+"?state=any&pageSize=10&expand=certifications&sortOrder="+order, ""
		for uri != "" {
			r := w.must(http.MethodGet, uri, "")
			for _, u := range r.list("entities") {
				got = append(got, fmt.Sprint(u["email"]))
				if u["certifications"] == nil {
					t.Fatalf("%s lost the expansion", uri)
				}
			}
			uri, last = r.text("nextUri"), r.text("selfUri")
		}
		for uri = last; uri != ""; {
			r := w.must(http.MethodGet, uri, "")
			page := strings.Fields(r.emails("entities"))
			back = append(page, back...)
			uri = r.text("previousUri")
		}
		if order != "ASC" {
			slices.Reverse(got)
			slices.Reverse(back)
		}
		if !slices.Equal(got, want) || !slices.Equal(back, want) {
			t.Errorf("%s: forth %d, back %d, want %d users in order", order, len(got), len(back), len(want))
		}
	}
}

func TestInactiveCap(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 10_600, Inactive: 10_600, Quota: sim.Quota{Limit: 1000}})
	if r := w.must(http.MethodGet, users+"?state=inactive&pageSize=500&pageNumber=20", ""); len(r.list("entities")) != 500 || r.number("pageCount") != 22 {
		t.Errorf("%d users, pageCount %d", len(r.list("entities")), r.number("pageCount"))
	}
	w.refused(w.call(http.MethodGet, users+"?state=inactive&pageSize=500&pageNumber=21", ""), 400, "bad.request")
	w.must(http.MethodGet, users+"?state=any&pageSize=500&pageNumber=21", "")
}

func TestByIDs(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 10, Inactive: 2, MaxIDs: 3})
	all := w.Users()
	for query, want := range map[string]string{
		"?id=" + all[3].ID:                                     all[3].Email,
		"?id=" + all[5].ID + "," + all[1].ID:                   all[1].Email + " " + all[5].Email,
		"?id=" + all[5].ID + "&id=" + all[1].ID + "&id=nobody": all[1].Email + " " + all[5].Email,
		"?id=" + all[9].ID:                                     "", // inactive
		"?state=any&id=" + all[9].ID:                           all[9].Email,
		"?jabberId=" + all[2].ID + "@example.orgspan.com":      all[2].Email,
		"?id=nobody": "",
	} {
		if got := w.must(http.MethodGet, users+query, "").emails("entities"); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	w.refused(w.call(http.MethodGet, users+"?id=a,b&id=c,d", ""), 400, "max.user.ids")
	w.refused(w.call(http.MethodGet, users+"?id=a&jabberId=b", ""), 400, "bad.request")
}

// How many ids there may be, and what is unknown of them: which states are shown, and whether one who is missing
// makes it a 404.
func TestByIDsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		o      sim.Options
		shown  string // of an active, an inactive and a deleted user
		status int
	}{
		"all":             {sim.Options{}, "active inactive deleted", 200},
		"not deleted":     {sim.Options{IDStates: "active inactive"}, "active inactive", 200},
		"active alone":    {sim.Options{IDStates: "active"}, "active", 200},
		"missing is 404":  {sim.Options{IDStates: "active", MissingIDs: true}, "", 404},
		"nobody missing":  {sim.Options{MissingIDs: true}, "active inactive deleted", 200},
		"the most is 100": {sim.Options{MaxIDs: 2}, "", 400},
	} {
		c.o.Users, c.o.Inactive, c.o.Deleted = 2, 1, 1
		w := newOrg(t, c.o)
		var ids []string
		for _, u := range w.Users() {
			ids = append(ids, u.ID, u.ID) // twice is once
		}
		if c.status == 400 {
			ids = ids[:3]
		}
		r := w.call(http.MethodGet, users+"?state=any&id="+strings.Join(ids, ","), "")
		var shown []string
		for _, u := range r.list("entities") {
			shown = append(shown, fmt.Sprint(u["state"]))
		}
		if got := strings.Join(shown, " "); r.status != c.status || got != c.shown {
			t.Errorf("%s: %d %q, want %d %q", name, r.status, got, c.status, c.shown)
		}
		switch c.status {
		case 404:
			w.refused(r, 404, "general.resource.not.found")
		case 400:
			w.refused(r, 400, "max.user.ids")
		}
	}
	w := newOrg(t, sim.Options{Users: 1})
	many := func(n int) string { return users + "?id=" + strings.Repeat(w.first().ID+",", n-1) + w.first().ID }
	w.must(http.MethodGet, many(100), "")
	w.refused(w.call(http.MethodGet, many(101), ""), 400, "max.user.ids")
}

// A cursor goes on where the page ended, even if users come and go in between.
func TestCursor(t *testing.T) {
	for _, order := range []string{"ASC", "DESC"} {
		w := newOrg(t, sim.Options{Users: 50, Inactive: 7, Deleted: 5})
		want := w.emailsOf("active")
		var got []string
		uri := users + "/query?pageSize=10&sortOrder=" + order
		for n := 0; uri != ""; n++ {
			r := w.must(http.MethodGet, uri, "")
			if r.number("results") != len(r.list("entities")) || r.json["total"] != nil || (r.text("cursor") == "") != (r.text("nextUri") == "") {
				t.Fatalf("%s", r.body)
			}
			got = append(got, strings.Fields(r.emails("entities"))...)
			if uri = r.text("nextUri"); n == 1 {
				w.Edit(got[0], func(u *sim.User) { u.State = "inactive" }) // seen before: nobody is skipped
				w.refused(w.call(http.MethodGet, users+"/query?state=any&sortOrder="+order+"&cursor="+r.text("cursor"), ""), 400, "invalid.query.param.value")
			}
		}
		if order == "DESC" {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d users, want %d", order, len(got), len(want))
		}
	}
	w := newOrg(t, sim.Options{Users: 10})
	if r := w.must(http.MethodGet, users+"/query?pageSize=10", ""); r.text("cursor") != "" || r.number("results") != 10 {
		t.Errorf("a full last page: %s", r.text("cursor"))
	}
}

// With a read lag listings show what was, and a new user is not found for a while.
func TestReadLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{Users: 1, ReadLag: 4 * time.Second, IndexLag: -1})
		was := w.first()
		self := users + "/" + was.ID
		title := func() string {
			return fmt.Sprint(w.must(http.MethodGet, users, "").list("entities")[0]["title"])
		}
		for i := 1; i <= 3; i++ { // at 0 s, 1 s and 2 s
			w.must(http.MethodPatch, self, fmt.Sprintf(`{"version":%d,"title":"T%d"}`, was.Version+i-1, i))
			time.Sleep(time.Second)
		}
		if got := w.must(http.MethodGet, self, "").text("title"); got != "T3" {
			t.Errorf("read alone: %s", got)
		}
		for _, want := range []string{was.Title, "T1", "T2", "T3", "T3"} { // at 3 s, 4 s, ...
			if got := title(); got != want {
				t.Errorf("listed: %s, want %s", got, want)
			}
			time.Sleep(time.Second)
		}
		made := w.must(http.MethodPost, users, `{"name":"Bob","email":"bob@example.com","state":"active"}`)
		self = users + "/" + made.text("id")
		w.refused(w.call(http.MethodGet, self, ""), 404, "not.found")
		w.must(http.MethodPatch, self, `{"version":1,"title":"x"}`) // a write knows
		time.Sleep(4*time.Second - 1)
		w.refused(w.call(http.MethodGet, self, ""), 404, "not.found")
		if n := w.must(http.MethodGet, users, "").number("total"); n != 1 {
			t.Errorf("%d users are listed", n)
		}
		time.Sleep(time.Nanosecond)
		w.must(http.MethodGet, self, "")
		if n := w.must(http.MethodGet, users, "").number("total"); n != 2 {
			t.Errorf("%d users are listed", n)
		}
	})
}

// An answer that would be too large is a 400, whatever is listed: a smaller page, or fewer expansions, fit.
func TestAnswerTooLarge(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 60, Full: true, LargestAnswer: 60_000})
	for query, ok := range map[string]bool{"pageSize=50": true, "pageSize=60&expand=skills,languages,authorization": false, "pageSize=10&expand=skills,languages,authorization": true} {
		if r := w.call(http.MethodGet, users+"?"+query, ""); ok && (r.status != 200 || len(r.list("entities")) == 0) {
			t.Errorf("%s: %d %d bytes", query, r.status, len(r.body))
		} else if !ok {
			w.refused(r, 400, "response.entity.too.large")
		}
	}
	small := newOrg(t, sim.Options{Users: 60, Full: true, LargestAnswer: 100})
	small.refused(small.call(http.MethodGet, "/api/v2/routing/queues", ""), 400, "response.entity.too.large")
	if r := small.call(http.MethodPost, users, `{"name":"Ana","email":"ana@example.com"}`); r.status != 200 {
		t.Errorf("a write: %d %s", r.status, r.body)
	}
}

// The vendor's Terraform provider takes an employer without any part for one that is to be removed.
func TestNoEmptyEmployer(t *testing.T) {
	for _, none := range []bool{false, true} {
		w := newOrg(t, sim.Options{Users: 1, NoEmptyEmployer: none})
		has := func() bool {
			_, is := w.must(http.MethodGet, users+"/"+w.first().ID+"?expand=employerInfo", "").json["employerInfo"]
			return is
		}
		if has() == none {
			t.Errorf("an employer that is empty is shown, with the option %v", none)
		}
		w.Edit(w.first().Email, func(u *sim.User) { u.Employer.EmployeeID = "7" })
		if !has() {
			t.Error("the employer is not shown")
		}
	}
}
