package genesys_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
)

func idsOf(users []state.Observed) (ids []string) {
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	return ids
}

// Whatever the API makes of ids that it does not show, the same users are found, deleted ones too, in the order in
// which they were asked for. Calls are of a hundred users.
func TestReadMany(t *testing.T) {
	for name, c := range map[string]struct {
		o      sim.Options
		gone   int // ids of nobody
		lists  int // requests for many, of which
		bad    int // were refused
		single int // requests for one user
	}{
		"all are shown":              {sim.Options{}, 0, 3, 0, 0},
		"some are nobody":            {sim.Options{}, 3, 3, 0, 6}, // each is looked for among the deleted, too
		"deleted ones not shown":     {sim.Options{IDStates: "active inactive"}, 0, 3, 0, 2 * 10},
		"active ones alone":          {sim.Options{IDStates: "active"}, 0, 3, 0, 20 + 2*10},
		"one who is nobody is 404":   {sim.Options{MissingIDs: true}, 1, 3 + 2*5, 6, 2}, // halves: 51, 25, 12, 6, 3, 1
		"deleted, and that is 404":   {sim.Options{MissingIDs: true, IDStates: "active inactive"}, 0, 29, 23, 20},
		"fewer in one request":       {sim.Options{MaxIDs: 60}, 0, 2*3 + 1, 2, 0},
		"restored ones are shown so": {sim.Options{ReadLag: time.Hour}, 0, 3, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Users, c.o.Inactive, c.o.Deleted, c.o.Seed = 240, 20, 10, 1
			d, s := simulate(t, c.o, nil)
			var ids []string
			for _, u := range s.Users() {
				ids = append(ids, u.ID)
			}
			slices.Reverse(ids)
			want := slices.Clone(ids)
			for i := range c.gone {
				ids = append(ids, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
			}
			found, err := d.Read(t.Context(), append(ids, ids[0], ""), spec.Certs)
			if diff := cmp.Diff(want, idsOf(found)); err != nil || diff != "" {
				t.Fatalf("%v (-want +found):\n%s", err, diff)
			}
			l := s.Ledger()
			lists, bad := l.Count("GET /api/v2/users"), l.Count("GET /api/v2/users", 400, 404)
			if single := l.Count("GET /api/v2/users/{id}"); lists != c.lists || bad != c.bad || single != c.single {
				t.Errorf("%d requests for many, %d of them refused, %d for one; want %d, %d, %d", lists, bad, single, c.lists, c.bad, c.single)
			}
			for _, now := range []state.Observed{found[0], found[len(found)-1]} { // a deleted one, and an active one
				one, err := d.Get(t.Context(), now.ID, spec.Certs)
				if diff := cmp.Diff(one, now); err != nil || diff != "" || now.Fields.Get(spec.Certs) == "" {
					t.Errorf("%v (-alone +among many):\n%s", err, diff)
				}
			}
		})
	}
}

// Nobody costs nothing, and what no listing shows is not read.
func TestReadNobodyAndDetails(t *testing.T) {
	d, s := simulate(t, sim.Options{Users: 2, Full: true}, nil)
	if found, err := d.Read(t.Context(), []string{""}); err != nil || len(found) > 0 || d.Stats().Reads != 0 {
		t.Errorf("%v, %v, %+v", found, err, d.Stats())
	}
	found, err := d.Read(t.Context(), []string{s.Users()[1].ID}, genesys.Capabilities().DetailFields...)
	if err != nil || len(found) != 1 || d.Stats().Reads != 1 {
		t.Fatalf("%v, %v, %+v", found, err, d.Stats())
	}
	for _, f := range genesys.Capabilities().DetailFields {
		if v := found[0].Fields.Get(f); v != "" {
			t.Errorf("%s is %s", f, v)
		}
	}
}

// Some who cannot be read take nothing from the others; without an answer that can be trusted there is none.
func TestReadSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const one = `{"id":"a","version":1,"email":"a@example.com","state":"active"}`
		answers := map[string]reply{"b": jsonReply(403, `{}`), "c": jsonReply(404, `{}`), "d": jsonReply(503, `{}`), "e,f": jsonReply(400, `{}`)}
		f := &fake{api: func(r *http.Request, _ string) reply {
			id := strings.TrimPrefix(r.URL.Path, "/api/v2/users/")
			if a, known := answers[id]; known {
				return a
			}
			return jsonReply(200, `{"entities":[`+one+`,{"id":"stranger","version":1}],"total":2}`)
		}}
		d, b := open(t, f, nil)
		found, err := d.Read(t.Context(), []string{"d", "c", "a", "b", "e,f"})
		if !slices.Equal(idsOf(found), []string{"a"}) || !errors.Is(err, apply.ErrForbidden) || !errors.Is(err, apply.ErrUncertain) || !errors.Is(err, apply.ErrRefused) {
			t.Errorf("%v, %v", idsOf(found), err)
		}
		for id, says := range map[string]bool{"user a:": false, "user b:": true, "user c:": false, "user d:": true, "user e,f:": true} {
			if strings.Contains(fmt.Sprint(err), id) != says {
				t.Errorf("%s: %v", id, err)
			}
		}
		if last := b.expected[len(b.expected)-1]; last != 0 {
			t.Errorf("%d requests still expected", last)
		}
		answers["d"] = jsonReply(401, `{}`)
		if found, err := d.Read(t.Context(), []string{"a", "d"}); !errors.Is(err, apply.ErrRefused) || len(found) != 1 { // of d alone
			t.Errorf("%v, %v", found, err)
		}
	})
}

// An answer for many that is none says nothing of anybody: everyone is asked for alone.
func TestReadAnswersThatAreNone(t *testing.T) {
	for _, answer := range []string{`{}`, `{"entities":null,"total":2}`, `{"entities":[],"total":0}`} {
		f := &fake{api: func(r *http.Request, _ string) reply {
			if id, single := strings.CutPrefix(r.URL.Path, "/api/v2/users/"); single {
				return jsonReply(200, fmt.Sprintf(`{"id":%q,"version":1,"state":"active"}`, id))
			}
			return jsonReply(200, answer)
		}}
		d, _ := open(t, f, nil)
		if found, err := d.Read(t.Context(), []string{"b", "a"}); err != nil || !slices.Equal(idsOf(found), []string{"b", "a"}) {
			t.Errorf("%s: %v, %v", answer, idsOf(found), err)
		}
	}
}

// Many addresses are looked up fifty at a time, whoever has them and in whichever case they are written.
func TestSearchMany(t *testing.T) {
	for name, c := range map[string]struct {
		o     sim.Options
		calls int
		bad   int
	}{
		"fifty at a time": {sim.Options{}, 3, 0},
		"fewer values":    {sim.Options{SearchValues: 30}, 2*3 + 1, 2},
		"smaller pages":   {sim.Options{SearchPage: 25}, 2*3 + 1, 2},
	} {
		c.o.Users, c.o.Inactive, c.o.Deleted, c.o.Seed = 115, 10, 5, 1
		d, s := simulate(t, c.o, func(o *api.Options) { o.ReadOnly = true })
		var ask, want []string
		for i, u := range s.Users() {
			if i%3 == 0 {
				u.Email = strings.ToUpper(u.Email)
			}
			ask, want = append(ask, u.Email), append(want, u.ID)
		}
		ask[7], want = "nobody@example.com", slices.Delete(want, 7, 8)
		found, err := d.Search(t.Context(), append(ask, ask[0], ""))
		if diff := cmp.Diff(want, idsOf(found)); err != nil || diff != "" {
			t.Fatalf("%s: %v (-want +found):\n%s", name, err, diff)
		}
		if now := found[len(found)-1]; now.Fields.Get(spec.State) != spec.Text("deleted") || now.Fields.Get(spec.Email) == "" || now.Version == 0 {
			t.Errorf("%s: %+v", name, now)
		}
		l := s.Ledger()
		if n, bad := l.Count("POST /api/v2/users/search"), l.Count("POST /api/v2/users/search", 400); n != c.calls || bad != c.bad {
			t.Errorf("%s: %d searches, %d of them refused; want %d and %d", name, n, bad, c.calls, c.bad)
		}
	}
	d, _ := simulate(t, sim.Options{}, nil)
	if found, err := d.Search(t.Context(), nil); err != nil || len(found) > 0 || d.Stats().Reads != 0 {
		t.Errorf("%v, %v", found, err)
	}
}

// Pages are read to the end, a user who is met twice is one, and who was deleted comes after who has the address now.
// What is found may be out of date, so managers are not looked up in it.
func TestSearchPages(t *testing.T) {
	pages := []string{
		`{"results":[{"id":"old","version":3,"email":"Ana@example.com","state":"deleted"},{"id":"b","version":1,"email":"bea@example.com","state":"active"}],"total":4,"pageCount":2}`,
		`{"results":[{"id":"b","version":1,"email":"bea@example.com","state":"active"},{"id":"ana","version":1,"email":"ana@example.com","state":"inactive"},` +
			`{"id":"x","version":1,"email":"ana@example.com.mx","state":"active"}],"total":4,"pageCount":2}`,
	}
	f := &fake{}
	f.api = func(r *http.Request, body string) reply {
		want := fmt.Sprintf(`{"pageSize":25,"pageNumber":%d,"query":[{"type":"EXACT","fields":["email"],"values":["bea@example.com","ana@example.com"]},`+
			`{"type":"EXACT","fields":["state"],"values":["active","inactive","deleted"]}]}`, f.count("POST /api/v2/users/search"))
		if body != want {
			t.Errorf("asked with %s", body)
		}
		return jsonReply(200, pages[f.count("POST /api/v2/users/search")-1])
	}
	d, _ := open(t, f, nil)
	found, err := d.Search(t.Context(), []string{"bea@example.com", "ana@example.com"})
	if err != nil || !slices.Equal(idsOf(found), []string{"b", "ana", "old"}) {
		t.Errorf("%v, %v", idsOf(found), err)
	}
	f.api = func(*http.Request, string) reply { return jsonReply(404, `{"code":"resource.not.found"}`) }
	if found, err := d.Search(t.Context(), []string{"a@example.com", "b@example.com"}); err != nil || len(found) > 0 || f.count("POST /api/v2/users/search") != 3 {
		t.Errorf("%v, %v, %v", found, err, f.requests())
	}
	f.api = func(*http.Request, string) reply { return jsonReply(404, `<html>`) } // a gateway's
	if found, err := d.Search(t.Context(), []string{"a@example.com", "b@example.com"}); !errors.Is(err, apply.ErrRefused) {
		t.Errorf("%v, %v", found, err)
	}
}

// A search whose answer cannot be is no proof that nobody has an address.
func TestSearchThatCannotBe(t *testing.T) {
	const (
		right = `{"results":[{"id":"a","version":1,"email":"ana@example.com","state":"active"}],"total":1,"pageCount":1}`
		none  = `{"total":0,"pageCount":1}`
		other = `{"results":[{"id":"b","version":1,"email":"ana@example.com","state":"deleted"}],"total":2,"pageCount":1}`
	)
	for answer, odd := range map[string]bool{other: true, `{}`: true, `{"results":null,"total":1}`: true, `{"results":[],"total":1}`: true, `{"total":1,"pageCount":1}`: true, none: false, right: false} {
		for _, times := range []int{1, 2} {
			n := 0
			f := &fake{api: func(r *http.Request, _ string) reply {
				if r.Method == http.MethodGet {
					return jsonReply(200, `{"id":"a","version":1,"email":"ana@example.com","state":"active"}`)
				}
				if n++; n > times {
					return jsonReply(200, right)
				}
				return jsonReply(200, answer)
			}}
			d, _ := open(t, f, nil)
			found, err := d.Search(t.Context(), []string{"ana@example.com"})
			asked := n
			n = 0
			one, find := d.Find(t.Context(), "ana@example.com")
			switch {
			case !odd:
				if err != nil || asked != 1 || len(found) != strings.Count(answer, `"id"`) || (find == nil) != (answer == right) || find != nil && !errors.Is(find, apply.ErrNotFound) {
					t.Errorf("%s: %v, %v; %v", answer, found, err, find)
				}
			case times == 1:
				if err != nil || find != nil || len(found) != 1 || one.ID != "a" || asked != 2 {
					t.Errorf("%s, once: %v, %v; %v", answer, found, err, find)
				}
			case !errors.Is(err, apply.ErrListing) || !errors.Is(find, apply.ErrListing) || asked != 2:
				t.Errorf("%s, twice: %v, %v; %v", answer, found, err, find)
			}
		}
	}
}

// Reads and searches of many tell the limiter how many requests are to come, as a listing does.
func TestRequestsForManyAreExpected(t *testing.T) {
	var ids []string
	for i := range 240 {
		ids = append(ids, fmt.Sprintf("u%d", i))
	}
	for _, tt := range []struct {
		most            int // ids or addresses in one request
		reads, searches []int
	}{
		{100, []int{3, 2, 1, 0}, []int{3, 2, 1, 0}},
		{60, []int{3, 4, 3, 2, 3, 2, 1, 0}, []int{3, 2, 1, 0}},
		{40, []int{3, 4, 5, 4, 3, 4, 3, 2, 3, 4, 3, 2, 3, 2, 1, 0}, []int{3, 4, 3, 2, 3, 2, 1, 0}},
	} {
		f := &fake{api: func(r *http.Request, body string) reply {
			if r.Method == http.MethodPost {
				if strings.Count(body, "@") > tt.most {
					return jsonReply(400, `{"code":"search.criteria.values.exceed.limit"}`)
				}
				return jsonReply(200, `{"results":[],"total":0}`)
			}
			asked := strings.Split(r.URL.Query().Get("id"), ",")
			if len(asked) > tt.most {
				return jsonReply(400, `{"code":"max.user.ids"}`)
			}
			var users []string
			for _, id := range asked {
				users = append(users, fmt.Sprintf(`{"id":%q,"version":1,"email":"%s@example.com","state":"active"}`, id, id))
			}
			return jsonReply(200, `{"entities":[`+strings.Join(users, ",")+`]}`)
		}}
		d, limiter := open(t, f, nil)
		limiter.expected = nil
		if found, err := d.Read(t.Context(), ids); err != nil || len(found) != len(ids) || !slices.Equal(limiter.expected, tt.reads) {
			t.Errorf("%d at most: %d users, %v; expected were %v, want %v", tt.most, len(found), err, limiter.expected, tt.reads)
		}
		var emails []string
		for _, id := range ids[:120] {
			emails = append(emails, id+"@example.com")
		}
		limiter.expected = nil
		if _, err := d.Search(t.Context(), emails); err != nil || !slices.Equal(limiter.expected, tt.searches) {
			t.Errorf("%d at most: %v; expected were %v, want %v", tt.most, err, limiter.expected, tt.searches)
		}
	}
}

// The index is behind: what it shows is as it was.
func TestSearchLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := simulate(t, sim.Options{Users: 1, IndexLag: time.Minute}, nil)
		email := s.Users()[0].Email
		s.Edit(email, func(u *sim.User) { u.State = "deleted" })
		for _, want := range []string{"active", "deleted"} {
			if found, err := d.Search(t.Context(), []string{email}); err != nil || len(found) != 1 || found[0].Fields.Get(spec.State) != spec.Text(want) {
				t.Errorf("%+v, %v; want %s", found, err, want)
			}
			time.Sleep(time.Minute)
		}
	})
}
