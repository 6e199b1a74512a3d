package sim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"usersyncd/sync/genesys/sim"
)

// listing reads the three pages of 25 active users, and says what each shows.
func (w *org) listing(path string) string {
	w.Helper()
	var all []string
	for n := 1; n <= 3; n++ {
		r := w.must(http.MethodGet, fmt.Sprintf("%s?pageSize=10&pageNumber=%d", path, n), "")
		entities, told := r.json["entities"]
		text := fmt.Sprint(len(r.list("entities")))
		switch {
		case !told:
			text = "-"
		case entities == nil:
			text = "null"
		case len(r.list("entities")) > 0 && n > 1:
			first := w.Users()[(n-1)*10].ID
			if path == users && r.list("entities")[0]["id"] != first {
				text += "'" // others than it should
			}
		}
		if r.json["total"] != nil {
			text += fmt.Sprint(" of ", r.number("total"))
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// Each shape, what it does to three pages, and that the next listing is right.
func TestOddListings(t *testing.T) {
	const right = "10 of 25, 10 of 25, 5 of 25"
	for shape, want := range map[string]string{
		"empty-object": "-, -, -",
		"null":         "null of 25, null of 25, null of 25",
		"no-entities":  "- of 25, - of 25, - of 25",
		"empty":        "0 of 25, 0 of 25, 0 of 25",
		"hole":         "10 of 25, 0 of 25, 5 of 25",
		"repeat":       "10 of 25, 10' of 25, 10' of 25",
		"short:2":      "10 of 25, 10 of 25, 3 of 25",
		"short:7":      "10 of 25, 8 of 25, 0 of 25",
		"short:99":     "0 of 25, 0 of 25, 0 of 25",
	} {
		w := newOrg(t, sim.Options{Users: 25})
		w.fail("after=1 x1 listing=" + shape)
		for i, want := range []string{right, want, right} {
			if got := w.listing(users); got != want {
				t.Errorf("%s, reading %d: %s, want %s", shape, i, got, want)
			}
		}
		if left := w.Faults(); len(left) > 0 {
			t.Errorf("still in force: %v", left)
		}
	}
}

// A listing is counted by its first page, whatever else is read meanwhile, and without a path it is that of users.
func TestOddListingsAreCountedWhole(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 25, Inactive: 0})
	w.fail("x2 listing=null")
	page := func(state string, n int) bool {
		r := w.must(http.MethodGet, fmt.Sprintf("%s?state=%s&pageSize=10&pageNumber=%d", users, state, n), "")
		return r.json["entities"] == nil
	}
	for i, c := range []struct {
		state string
		page  int
		odd   bool
	}{
		{"active", 1, true}, {"any", 1, true}, {"active", 2, true}, {"any", 2, true}, {"active", 3, true},
		{"any", 1, false}, {"active", 2, true}, {"any", 2, false}, {"active", 1, false}, {"active", 2, false},
	} {
		if odd := page(c.state, c.page); odd != c.odd {
			t.Errorf("request %d, %s page %d: odd %t", i, c.state, c.page, odd)
		}
	}
	w.fail("listing=null")
	for path, odd := range map[string]bool{"/api/v2/groups": false, "/api/v2/users/query": false, users: true} {
		if r := w.must(http.MethodGet, path, ""); (r.json["entities"] == nil) != odd {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	w.fail("/api/v2/users/query listing=no-entities")
	if r := w.must(http.MethodGet, "/api/v2/users/query?pageSize=3", ""); r.json["entities"] != nil || r.text("cursor") == "" {
		t.Errorf("by cursor: %s", r.body)
	}
	w.ClearFaults()
	if got := w.listing(users); strings.Contains(got, "null") {
		t.Errorf("after the faults: %s", got)
	}
}

// Without a path, or with any, it is the listing of users; without a shape it shows nobody.
func TestOddListingByDefault(t *testing.T) {
	for _, f := range []sim.Fault{{Effect: sim.Listing}, {Effect: sim.Listing, Path: "*"}, {Effect: sim.Listing, Shape: "empty"}} {
		w := newOrg(t, sim.Options{Users: 25})
		w.AddFault(f)
		if got := w.listing(users); got != "0 of 25, 0 of 25, 0 of 25" {
			t.Errorf("%+v: %s", f, got)
		}
		if r := w.must(http.MethodGet, "/api/v2/groups", ""); len(r.list("entities")) == 0 {
			t.Errorf("%+v: groups are %s", f, r.body)
		}
		words := w.Faults()[0]
		if again, err := sim.ParseFault(words); err != nil || words != "* listing=empty" || again.String() != words {
			t.Errorf("%+v: %q, %v", f, words, err)
		}
	}
}
