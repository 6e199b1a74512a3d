package genesys_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"usersyncd/spec"
	"usersyncd/sync/genesys/api"
)

const tooLarge = `{"code":"response.entity.too.large","message":"The response would be too large"}`

// A largeOrg has active users, and refuses answers that are too large: of more than most users in a page, or from a page on.
// Each of the fields that are asked for makes a user as large as one more does.
type largeOrg struct {
	users, most, from int
	uncapped          bool                     // the listing goes on after 10,000
	byCursor          func(pageSize int) reply // GET /users/query; nil: forbidden

	mu    sync.Mutex
	asked []string // the requests for users: page size, number and what is expanded
}

func (o *largeOrg) answer(r *http.Request, _ string) reply {
	q := r.URL.Query()
	size, _ := strconv.Atoi(q.Get("pageSize"))
	n, _ := strconv.Atoi(q.Get("pageNumber"))
	switch {
	case strings.HasSuffix(r.URL.Path, "/query") && o.byCursor == nil:
		return jsonReply(403, `{}`)
	case strings.HasSuffix(r.URL.Path, "/query"):
		return o.byCursor(size)
	case !strings.HasSuffix(r.URL.Path, "/users"), q.Get("state") != "active":
		return jsonReply(200, `{"entities":[],"total":0,"pageCount":0}`)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, fmt.Sprintf("%d/%d %s", size, n, q.Get("expand")))
	expand := strings.FieldsFunc(q.Get("expand"), func(c rune) bool { return c == ',' })
	if size*max(1, len(expand)) > o.most && n >= o.from {
		return jsonReply(400, tooLarge)
	}
	if (n-1)*size >= 10_000 && !o.uncapped {
		return jsonReply(400, `{"code":"bad.request"}`)
	}
	var page []string
	for i := (n - 1) * size; i < min(n*size, o.users); i++ {
		u := fmt.Sprintf(`"id":"u%d","version":%d,"state":"active","email":"u%d@example.com"`, i, 1000-size, i) // a later reading shows a newer version
		for _, name := range expand {
			u += fmt.Sprintf(`,%q:[]`, name)
		}
		page = append(page, "{"+u+"}")
	}
	return jsonReply(200, shown("["+strings.Join(page, ",")+"]", o.users, (o.users+size-1)/size))
}

// A listing whose answers would be too large starts again with smaller pages, and so does the next one.
func TestListingWithSmallerPages(t *testing.T) {
	for name, c := range map[string]struct {
		org    *largeOrg
		size   int // in the end
		begins []string
	}{
		"at once":           {&largeOrg{users: 620, most: 100}, 100, []string{"500/1 ", "250/1 ", "100/1 "}},
		"on a later page":   {&largeOrg{users: 1300, most: 250, from: 3}, 250, []string{"500/1 ", "500/2 ", "500/3 ", "250/1 "}},
		"the smallest page": {&largeOrg{users: 60, most: 25}, 25, []string{"500/1 ", "250/1 ", "100/1 ", "50/1 ", "25/1 "}},
	} {
		d, _ := open(t, &fake{api: c.org.answer}, func(o *api.Options) { o.MaxConns = 1 })
		for range 2 {
			l, err := list(t.Context(), d)
			if err != nil || len(l.Users) != c.org.users || !l.Complete() {
				t.Fatalf("%s: %d users, %v", name, len(l.Users), err)
			}
			for _, u := range l.Users {
				if u.Version != 1000-c.size {
					t.Fatalf("%s: a user of a page of %d is used", name, 1000-u.Version)
				}
			}
			if got := c.org.asked[:len(c.begins)]; name != "on a later page" && !slices.Equal(got, c.begins) {
				t.Errorf("%s: asked for %q", name, got)
			}
			c.begins, c.org.asked = []string{fmt.Sprintf("%d/1 ", c.size)}, nil
		}
	}
}

// If even the smallest page is too large, the fields are asked for in several sweeps.
func TestListingInSweeps(t *testing.T) {
	org := largeOrg{users: 60, most: 25}
	d, _ := open(t, &fake{api: org.answer}, nil)
	fields := []spec.Field{spec.Certs, spec.ProfileSkills, spec.Locations}
	for range 2 {
		org.asked = nil
		l, err := list(t.Context(), d, fields...)
		if err != nil || len(l.Users) != 60 || !l.Complete() {
			t.Fatalf("%d users, %v", len(l.Users), err)
		}
		for _, u := range l.Users {
			for _, f := range fields {
				if u.Fields.Get(f) != "[]" {
					t.Fatalf("%s of %s is %q", f, u.ID, u.Fields.Get(f))
				}
			}
		}
	}
	if len(org.asked) != 9 { // three pages in each of three sweeps
		t.Errorf("asked for %q", org.asked)
	}
}

// What no spec manages is kept from every sweep.
func TestUnknownPartsOfSweeps(t *testing.T) {
	d, _ := open(t, &fake{api: func(r *http.Request, _ string) reply {
		user := `{"id":"u1","version":1,"state":"active","email":"u1@example.com"`
		switch expand := r.URL.Query().Get("expand"); {
		case !strings.HasSuffix(r.URL.Path, "/users") || r.URL.Query().Get("state") != "active":
			return jsonReply(200, `{"entities":[{"id":"l1","name":"Berlin"}],"total":1,"pageCount":1}`)
		case strings.Contains(expand, ","):
			return jsonReply(400, tooLarge)
		case expand == "employerInfo":
			user += `,"employerInfo":{"badge":"7"}`
		case expand == "locations":
			user += `,"locations":[{"id":"l1","desk":"12"}]`
		}
		return jsonReply(200, `{"entities":[`+user+`}],"total":1,"pageCount":1}`)
	}}, nil)
	l, err := list(t.Context(), d, spec.Employer, spec.Locations)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range l.Users {
		if kept := string(u.Opaque); u.ID == "u1" && (!strings.Contains(kept, "badge") || !strings.Contains(kept, "desk")) {
			t.Errorf("kept is %s", kept)
		}
	}
}

func TestListingThatStaysTooLarge(t *testing.T) {
	org := largeOrg{users: 60, most: 1}
	d, _ := open(t, &fake{api: org.answer}, nil)
	if l, err := list(t.Context(), d, spec.Certs); !api.IsTooLarge(err) || len(l.Users) > 0 {
		t.Errorf("%d users, %v", len(l.Users), err)
	}
}

// An answer that is too large beyond the cap of a listing is not its end.
func TestTooLargeBeyondTheCap(t *testing.T) {
	org := largeOrg{users: 10_050, most: 250, from: 21, uncapped: true}
	d, _ := open(t, &fake{api: org.answer}, nil)
	if l, err := list(t.Context(), d); err != nil || len(l.Users) != 10_050 || !l.Complete() {
		t.Errorf("%d users, complete %t, %v", len(l.Users), l.Complete(), err)
	}
}

// How large a page of the query by cursor may be is not known: after any 400 it is 100.
func TestQueryWithSmallerPages(t *testing.T) {
	for _, code := range []string{"invalid.query.param.value", "response.entity.too.large", ""} {
		var sizes []int
		org := largeOrg{users: 10_050, most: 500, byCursor: func(size int) reply {
			if sizes = append(sizes, size); size > 100 {
				return jsonReply(400, `{"code":"`+code+`"}`)
			}
			return jsonReply(200, `{"entities":`+people(10_000, 10_050)+`,"results":50}`)
		}}
		d, _ := open(t, &fake{api: org.answer}, nil)
		if l, err := list(t.Context(), d); err != nil || len(l.Users) != 10_050 || !l.Complete() || sizes[0] != 500 {
			t.Errorf("%s: %d users, complete %t, sizes %v, %v", code, len(l.Users), l.Complete(), sizes, err)
		}
	}
}
