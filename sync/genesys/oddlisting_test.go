package genesys_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
)

// A book answers listings of active users in pages, each time they are listed with the next of its readings. The last
// one is right, and stays. Nobody is inactive.
type book struct {
	mu       sync.Mutex
	readings [][]string
	begun    int
}

func (b *book) answer(r *http.Request, _ string) reply {
	q := r.URL.Query()
	if q.Get("state") == "inactive" {
		return jsonReply(200, `{"entities":[],"total":0,"pageCount":0}`)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n, _ := strconv.Atoi(q.Get("pageNumber"))
	if n == 1 {
		b.begun++
	}
	pages := b.readings[min(b.begun, len(b.readings))-1]
	if n > len(pages) {
		return jsonReply(200, `{"entities":[]}`)
	}
	return jsonReply(200, pages[n-1])
}

// people is a list of users from one number to another, the last one not among them.
func people(from, to int) string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf(`{"id":"u%d","version":1,"state":"active","email":"u%d@example.com"}`, i, i))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// shown is a page with a list, and the counts that are not negative.
func shown(entities string, total, pageCount int) string {
	text := `{"entities":` + entities
	if total >= 0 {
		text += fmt.Sprintf(`,"total":%d`, total)
	}
	if pageCount >= 0 {
		text += fmt.Sprintf(`,"pageCount":%d`, pageCount)
	}
	return text + "}"
}

// rightPages are users in pages of three, as the API shows them.
func rightPages(users int) []string {
	var pages []string
	count := (users + 2) / 3
	for n := range count {
		pages = append(pages, shown(people(3*n, min(3*n+3, users)), users, count))
	}
	return pages
}

// with is the pages with one of them another.
func with(pages []string, n int, page string) []string {
	pages = slices.Clone(pages)
	pages[n-1] = page
	return pages
}

func TestListingThatCannotBe(t *testing.T) {
	seven := rightPages(7)
	const size = 3
	for name, c := range map[string]struct {
		odd  []string
		says string
	}{
		"an empty object":              {[]string{`{}`}, "page 1 has no list (no total)"},
		"null with counts":             {[]string{`{"entities":null,"total":7,"pageCount":3}`}, "page 1 has no list (total 7, pageCount 3)"},
		"null without counts":          {[]string{`{"entities":null}`}, "page 1 has no list (no total)"},
		"null with a pageCount":        {[]string{`{"entities":null,"pageCount":3}`}, "page 1 has no list (no total, pageCount 3)"},
		"null with a pageCount of one": {[]string{`{"entities":null,"total":0,"pageCount":1}`}, "page 1 has no list (total 0, pageCount 1)"},
		"a total without entities":     {[]string{`{"total":7}`}, "page 1 has no list (total 7)"},
		"a total and nobody":           {[]string{shown(`[]`, 7, 1)}, "page 1 is empty (total 7, pageCount 1)"},
		"a total of one and nobody":    {[]string{shown(`[]`, 1, -1)}, "page 1 is empty (total 1)"},
		"pages and nobody":             {[]string{shown(`[]`, -1, 3)}, "page 1 is empty (no total, pageCount 3)"},
		"a later empty object":         {with(seven, 2, `{}`), "page 2 has no list (no total)"},
		"a later null":                 {with(seven, 3, `{"entities":null,"total":7,"pageCount":3}`), "page 3 has no list (total 7, pageCount 3)"},
		"a hole with its counts":       {with(seven, 2, shown(`[]`, 7, 3)), "page 2 is empty (total 7, pageCount 3)"},
		"a hole without counts":        {with(seven, 2, `{"entities":[]}`), "page 2 is empty, and page "},
		"a hole that says nobody":      {with(seven, 2, shown(`[]`, 0, 0)), "page 2 is empty, and page "},
		"the same page again":          {with(seven, 2, seven[0]), "shows the same 3 as page "},
		"the same page for ever":       {slices.Repeat([]string{shown(people(0, 3), -1, -1)}, 99), "page 2 shows the same 3 as page 1 (no total)"},
		"an end before the total":      {[]string{shown(people(0, 3), 14, 1)}, "3 of 14 were shown"},
		"short pages":                  {[]string{shown(people(0, 1), 40, 2), shown(people(3, 5), 40, 2)}, "3 of 40 were shown; page 1 shows 1 of 3, and 1 more page is short"},
		"a total on the first page":    {[]string{shown(people(0, 3), 40, 2), shown(people(3, 6), -1, 2)}, "6 of 40 were shown"},
		"a total on the last page":     {[]string{shown(people(0, 3), -1, 2), shown(people(3, 6), 40, 2)}, "6 of 40 were shown"},
	} {
		for _, times := range []int{1, 2} {
			b := &book{readings: append(slices.Repeat([][]string{c.odd}, times), seven)}
			f := &fake{api: b.answer}
			d, limiter := open(t, f, func(o *api.Options) { o.PageSize = size })
			l, err := list(t.Context(), d)
			if last := limiter.expected[len(limiter.expected)-1]; last != 0 {
				t.Errorf("%s: %d requests still expected", name, last)
			}
			if times == 1 {
				if err != nil || len(l.Users) != 7 || !l.Complete() || l.Gap != "" || b.begun != 2 {
					t.Errorf("%s, once: %d users, complete %t, %d readings, %v", name, len(l.Users), l.Complete(), b.begun, err)
				}
				continue
			}
			e := (*apply.CallError)(nil)
			if !errors.Is(err, apply.ErrListing) || !errors.As(err, &e) || len(l.Users) > 0 || b.begun != 2 {
				t.Errorf("%s, twice: %d users, %d readings, %v", name, len(l.Users), b.begun, err)
				continue
			}
			for _, want := range []string{"GET /api/v2/users: ", "active users: ", c.says, "; it was read twice, try again later"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %q is missing in %v", name, want, err)
				}
			}
		}
	}
}

// What a large organization does while it is listed does not end a pass, and is told where somebody may be missing.
func TestListingThatMoves(t *testing.T) {
	for name, c := range map[string]struct {
		pages []string
		users int
		gap   string
	}{
		"nobody":                        {[]string{shown(`[]`, 0, 0)}, 0, ""},
		"nobody, on one page":           {[]string{shown(`[]`, 0, 1)}, 0, ""},
		"nobody, and no list":           {[]string{`{"total":0,"pageCount":0}`}, 0, ""},
		"no counts":                     {[]string{shown(people(0, 3), -1, -1), shown(people(3, 4), -1, -1)}, 4, ""},
		"met twice, since one was new":  {[]string{shown(people(0, 3), 6, 2), shown(people(2, 5), 7, 3), shown(people(5, 6), 7, 3)}, 6, "active users: 6 of 7 were shown"},
		"a page more":                   {[]string{shown(people(0, 3), 6, 2), shown(people(3, 6), 7, 3), shown(people(6, 7), 7, 3)}, 7, ""},
		"a page less":                   {[]string{shown(people(0, 3), 7, 3), shown(people(3, 6), 6, 2), shown(`[]`, 6, 2)}, 6, ""},
		"some less":                     {[]string{shown(people(0, 3), 90, 3), shown(people(3, 6), 30, 3), shown(people(6, 7), 7, 3)}, 7, ""},
		"many more":                     {[]string{shown(people(0, 3), 6, 2), shown(people(3, 6), 90, 2)}, 6, "active users: 6 of 90 were shown"},
		"a total that lags behind":      {[]string{shown(people(0, 3), 5, 2), shown(people(3, 6), 5, 2)}, 6, ""},
		"ten missing":                   {[]string{shown(people(0, 3), 13, 1)}, 3, "active users: 3 of 13 were shown"},
		"an empty last page":            {[]string{shown(people(0, 3), 7, 3), shown(people(3, 6), 7, 3), shown(`[]`, 7, 3)}, 6, "active users: 6 of 7 were shown; page 3 shows 0 of 1"},
		"a page that is not full":       {[]string{shown(people(0, 3), 7, 3), shown(people(3, 5), 7, 3), shown(people(6, 7), 7, 3)}, 6, "active users: 6 of 7 were shown; page 2 shows 2 of 3"},
		"pages that are not full":       {[]string{shown(people(0, 2), 7, 3), shown(people(3, 5), 7, 3), shown(people(6, 7), 7, 3)}, 5, "active users: 5 of 7 were shown; page 1 shows 2 of 3, and 1 more page is short"},
		"two pages of the same one":     {[]string{shown(people(0, 3), 5, 2), shown(people(2, 3), 5, 2)}, 3, "active users: 3 of 5 were shown; page 2 shows 1 of 2"},
		"null beyond the end":           {[]string{shown(people(0, 3), -1, -1), `{"total":0}`}, 3, ""},
		"the last page tells no counts": {[]string{shown(people(0, 3), 6, 2), shown(people(3, 6), -1, -1)}, 6, ""},
	} {
		b := &book{readings: [][]string{c.pages}}
		f := &fake{api: b.answer}
		d, _ := open(t, f, func(o *api.Options) { o.PageSize = 3 })
		l, err := list(t.Context(), d)
		if err != nil || len(l.Users) != c.users || l.Gap != c.gap || l.Complete() != (c.gap == "") || b.begun != 1 {
			t.Errorf("%s: %d users, complete %t, gap %q, %d readings, %v", name, len(l.Users), l.Complete(), l.Gap, b.begun, err)
		}
	}
}

// The limit is 5 %, and 10.
func TestHowManyMayBeMissing(t *testing.T) {
	for _, c := range []struct{ total, missing int }{{11, 10}, {100, 10}, {200, 10}, {219, 10}, {220, 11}, {500, 25}} {
		for _, more := range []int{0, 1} {
			b := &book{readings: [][]string{{shown(people(0, c.total-c.missing-more), c.total, 1)}}}
			f := &fake{api: b.answer}
			d, _ := open(t, f, nil)
			l, err := list(t.Context(), d)
			if errors.Is(err, apply.ErrListing) != (more == 1) || err == nil && l.Complete() {
				t.Errorf("%d of %d missing: complete %t, %v", c.missing+more, c.total, l.Complete(), err)
			}
		}
	}
}

// Users who move, come and go between any two pages never end a listing, and whoever is listed is listed once.
func TestListingWhileOthersWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sim.New(sim.Options{Users: 60, Inactive: 20, Seed: 1, IndexLag: -1, GrantLag: -1, Quota: sim.Quota{Limit: 1 << 20}})
		seed := rapid.Uint64().Draw(t, "seed")
		moves := rapid.IntRange(0, 5).Draw(t, "moves between two pages")
		r := rand.New(rand.NewPCG(seed, 0))
		tap := s.Tap()
		added := 0
		var mu sync.Mutex
		tap.Hook = func(_ string, answered bool) error {
			if !answered {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			for range r.IntN(moves + 1) {
				all := s.Users()
				if added++; r.IntN(4) == 0 {
					s.Add(sim.User{Name: "New", Email: fmt.Sprintf("new%d@example.com", added), State: "active"})
					continue
				}
				s.Edit(all[r.IntN(len(all))].Email, func(u *sim.User) { u.State = []string{"active", "inactive", "deleted"}[r.IntN(3)] })
			}
			return nil
		}
		d, err := genesys.New(api.Options{API: apiURL, ClientID: "demo", ClientSecret: "demo", Limiter: &fakeLimiter{}, Transport: tap, PageSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		l, err := list(t.Context(), d)
		if err != nil {
			t.Fatalf("%v, after %d changes", err, added)
		}
		seen := map[string]bool{}
		for _, u := range l.Users {
			if seen[u.ID] {
				t.Fatalf("%s is listed twice", u.ID)
			}
			seen[u.ID] = true
		}
	})
}
