package genesys_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

func TestOpenAsksOnce(t *testing.T) {
	for _, tt := range []struct {
		answer reply
		org    string
		fails  bool
		asked  int // in two passes
	}{
		{jsonReply(200, `{"id":"org-1","name":"Example"}`), "org-1", false, 1},
		{jsonReply(403, `{}`), "", false, 1},
		{jsonReply(404, `{}`), "", false, 1},
		{jsonReply(400, `{}`), "", true, 2},
	} {
		f := &fake{api: func(*http.Request, string) reply { return tt.answer }}
		d, _ := open(t, f, nil)
		for range 2 {
			org, err := d.Open(t.Context(), nil)
			if org != tt.org || (err != nil) != tt.fails {
				t.Errorf("%d: %q, %v", tt.answer.status, org, err)
			}
		}
		if n := f.count("GET /api/v2/organizations/me"); n != tt.asked {
			t.Errorf("%d: asked %d times", tt.answer.status, n)
		}
	}
}

// withoutNew leaves out empty texts that are not wanted: those of fields that the format has got since.
func withoutNew(now, want state.Observed) state.Observed {
	now.Fields = slices.DeleteFunc(slices.Clone(now.Fields), func(v spec.FieldValue) bool { return want.Fields.Get(v.Field) == "" && v.Value == spec.Text("") })
	return now
}

func TestObservedFields(t *testing.T) {
	f := &fake{api: func(r *http.Request, _ string) reply {
		if r.URL.Query().Get("expand") != "certifications,employerInfo" {
			t.Errorf("asked with %s", r.URL.RawQuery)
		}
		if r.URL.Path == "/api/v2/users/bare" {
			return jsonReply(200, `{"id":"bare","version":2,"email":"b@example.com","state":"active"}`)
		}
		return jsonReply(200, `{"id":"u1","version":4,"email":"Ana@Example.com","name":"Ana","preferredName":"Ani","title":"Lead","department":"Support",
			"state":"INACTIVE","manager":{"id":"m1","selfUri":"/x"},"acdAutoAnswer":true,"certifications":["PCI","A"],
			"employerInfo":{"officialName":"Ana P","employeeId":"007"},"addresses":[ {"mediaType":"PHONE", "type":"WORK","address":"+34600000001"} ],"other":1}`)
	}}
	d, _ := open(t, f, nil)
	full, err := d.Get(t.Context(), "u1", spec.Employer, spec.Certs)
	if err != nil {
		t.Fatal(err)
	}
	want := state.Observed{ID: "u1", Version: 4, Opaque: json.RawMessage(`[{"mediaType":"PHONE","type":"WORK","address":"+34600000001"}]`), Fields: spec.FieldsOf(map[spec.Field]spec.Value{
		spec.Email: ana, spec.Name: spec.Text("Ana"), spec.PreferredName: spec.Text("Ani"), spec.Title: spec.Text("Lead"),
		spec.Department: spec.Text("Support"), spec.State: inactive, spec.Manager: spec.Text("id:m1"), spec.ACDAutoAnswer: spec.Bool(true),
		spec.Certs: spec.Strings([]string{"A", "PCI"}), spec.Employer: spec.EmployerOf(spec.EmployerInfo{OfficialName: "Ana P", EmployeeID: "007"}),
		spec.Phones: spec.PhoneList([]spec.Phone{{Media: "phone", Type: "work", Number: "+34600000001"}}), spec.Emails: spec.EmailList(nil),
	})}
	if diff := cmp.Diff(want, withoutNew(full, want)); diff != "" {
		t.Errorf("full (-want +got):\n%s", diff)
	}
	// Texts that are left out are empty; what is shown on demand only is unknown.
	bare, err := d.Get(t.Context(), "bare", spec.Employer, spec.Certs)
	if err != nil {
		t.Fatal(err)
	}
	want = state.Observed{ID: "bare", Version: 2, Opaque: json.RawMessage(`[]`), Fields: spec.FieldsOf(map[spec.Field]spec.Value{
		spec.Email: spec.Text("b@example.com"), spec.Name: spec.Text(""), spec.PreferredName: spec.Text(""), spec.Title: spec.Text(""),
		spec.Department: spec.Text(""), spec.State: active, spec.Manager: spec.Text(""), spec.ACDAutoAnswer: spec.Bool(false),
		spec.Phones: spec.PhoneList(nil), spec.Emails: spec.EmailList(nil),
	})}
	if diff := cmp.Diff(want, withoutNew(bare, want)); diff != "" {
		t.Errorf("bare (-want +got):\n%s", diff)
	}
}

func TestGetLooksAmongTheDeleted(t *testing.T) {
	f := &fake{api: func(r *http.Request, _ string) reply {
		if r.URL.Path == "/api/v2/users/gone" || r.URL.Query().Get("state") != "deleted" {
			return jsonReply(404, `{"code":"not.found"}`)
		}
		return jsonReply(200, `{"id":"u1","version":3,"state":"deleted"}`)
	}}
	d, _ := open(t, f, nil)
	u, err := d.Get(t.Context(), "u1")
	if err != nil || u.Fields.Get(spec.State) != spec.Text("deleted") {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := d.Get(t.Context(), "gone"); !errors.Is(err, apply.ErrNotFound) || f.count("GET ") != 4 {
		t.Errorf("%v, %v", err, f.requests())
	}
	f.api = func(r *http.Request, _ string) reply {
		if got := r.URL.EscapedPath(); got != "/api/v2/users/..%2Forganizations%2Fme%3Fx" {
			t.Errorf("an id became the path %s", got)
		}
		return jsonReply(400, `{}`)
	}
	if _, err := d.Get(t.Context(), "../organizations/me?x"); !errors.Is(err, apply.ErrRefused) {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	for name, tt := range map[string]struct {
		results string
		users   map[string]string // by id, as GET shows them
		want    string
		gets    int
	}{
		"one":               {`{"id":"a","email":"ANA@example.com","state":"active"}`, map[string]string{"a": "ana@EXAMPLE.com"}, "a", 1},
		"nobody":            {``, nil, "", 0},
		"another address":   {`{"id":"a","email":"ana@example.com.mx"}`, nil, "", 0},
		"the living first":  {`{"id":"d","email":"ana@example.com","state":"deleted"},{"id":"a","email":"ana@example.com","state":"active"}`, map[string]string{"a": "ana@example.com"}, "a", 1},
		"deleted":           {`{"id":"d","email":"ana@example.com","state":"deleted"}`, map[string]string{"d deleted": "ana@example.com"}, "d", 1},
		"renamed meanwhile": {`{"id":"a","email":"ana@example.com"}`, map[string]string{"a": "bea@example.com"}, "", 1},
		"gone meanwhile":    {`{"id":"a","email":"ana@example.com"}`, nil, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{}
			f.api = func(r *http.Request, body string) reply {
				if r.Method == http.MethodPost {
					want := `{"pageSize":25,"pageNumber":1,"query":[{"type":"EXACT","fields":["email"],"value":"Ana@example.com"},` +
						`{"type":"EXACT","fields":["state"],"values":["active","inactive","deleted"]}]}`
					if body != want {
						t.Errorf("asked with %s", body)
					}
					return jsonReply(200, `{"results":[`+tt.results+`]}`)
				}
				id := strings.TrimPrefix(r.URL.Path, "/api/v2/users/")
				if email, ok := tt.users[strings.TrimSpace(id+" "+r.URL.Query().Get("state"))]; ok {
					return jsonReply(200, fmt.Sprintf(`{"id":%q,"version":1,"email":%q}`, id, email))
				}
				return jsonReply(404, `{}`)
			}
			d, _ := open(t, f, nil)
			u, err := d.Find(t.Context(), "Ana@example.com")
			if u.ID != tt.want || (tt.want == "") != errors.Is(err, apply.ErrNotFound) || f.count("GET ") != tt.gets {
				t.Errorf("%+v, %v, %v", u, err, f.requests())
			}
		})
	}
}

// pages answers listings of n active and m inactive users, in pages of three, from page limit on with 400.
func pages(active, inactive, limit int, pageCount bool) func(r *http.Request, _ string) reply {
	return func(r *http.Request, _ string) reply {
		q := r.URL.Query()
		if strings.HasSuffix(r.URL.Path, "/query") { // for whoever sees every division, and not here
			return jsonReply(403, `{"code":"missing.permissions"}`)
		}
		n, _ := strconv.Atoi(q.Get("pageNumber"))
		size, _ := strconv.Atoi(q.Get("pageSize"))
		of := active
		if q.Get("state") == "inactive" {
			of = inactive
		}
		if limit > 0 && n >= limit {
			return jsonReply(400, `{"code":"bad.request"}`)
		}
		var entities []string
		for i := (n - 1) * size; i < min(n*size, of); i++ {
			entities = append(entities, fmt.Sprintf(`{"id":"%s%d","version":1,"state":%q}`, q.Get("state"), i, q.Get("state")))
		}
		more := ""
		if pageCount {
			more = fmt.Sprintf(`,"pageCount":%d`, (of+size-1)/size)
		}
		return jsonReply(200, `{"entities":[`+strings.Join(entities, ",")+`]`+more+`}`)
	}
}

func TestList(t *testing.T) {
	for name, tt := range map[string]struct {
		active, inactive, limit, size int
		pageCount                     bool
		users, calls                  int
		complete                      bool
	}{
		"two sweeps":              {7, 4, 0, 3, true, 11, 5, true},
		"full pages":              {6, 3, 0, 3, true, 9, 3, true},
		"nobody":                  {0, 0, 0, 3, true, 0, 2, true},
		"pageCount missing":       {7, 3, 0, 3, false, 10, 6, true}, // until a page is empty
		"the cap, without counts": {10, 25000, 21, 500, false, 10010, 2 + 21 + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{api: pages(tt.active, tt.inactive, tt.limit, tt.pageCount)}
			d, b := open(t, f, func(o *api.Options) { o.PageSize = tt.size })
			l, err := list(t.Context(), d)
			if err != nil || len(l.Users) != tt.users || f.count("GET ") != tt.calls || l.Complete() != tt.complete {
				t.Fatalf("%d users in %d calls, complete %t, %v", len(l.Users), f.count("GET "), l.Complete(), err)
			}
			if last := b.expected[len(b.expected)-1]; last != 0 {
				t.Errorf("%d requests still expected", last)
			}
		})
	}
	// With counts, pages beyond the cap may be under way when the first of them is refused.
	f := &fake{api: pages(10, 25000, 21, true)}
	d, b := open(t, f, nil)
	l, err := list(t.Context(), d)
	if err != nil || len(l.Users) != 10010 || l.Complete() || f.count("GET ") > 2+20+4+1 {
		t.Errorf("%d users in %d calls, complete %t, %v", len(l.Users), f.count("GET "), l.Complete(), err)
	}
	if most := slices.Max(b.expected); most != 49 {
		t.Errorf("at most %d pages expected, want the 49 after the first inactive one", most)
	}
}

// A 400 that is not the cap is no end of the list, and a failing page fails the listing.
func TestListFails(t *testing.T) {
	for name, tt := range map[string]struct {
		limit int
		kind  error
	}{"first page": {1, apply.ErrRefused}, "third page": {3, apply.ErrRefused}} {
		f := &fake{api: pages(5000, 0, tt.limit, true)}
		d, _ := open(t, f, nil)
		if l, err := list(t.Context(), d); !errors.Is(err, tt.kind) || len(l.Users) > 0 {
			t.Errorf("%s: %d users, %v", name, len(l.Users), err)
		}
	}
}

// Who moves between two pages is listed once, as last seen.
func TestListedTwice(t *testing.T) {
	f := &fake{api: func(r *http.Request, _ string) reply {
		version := map[string]int{"active": 3, "inactive": 4}[r.URL.Query().Get("state")]
		return jsonReply(200, fmt.Sprintf(`{"entities":[{"id":"u1","version":%d,"state":%q}],"pageCount":1}`, version, r.URL.Query().Get("state")))
	}}
	d, _ := open(t, f, nil)
	l, err := list(t.Context(), d)
	if err != nil || len(l.Users) != 1 || l.Users[0].Version != 4 || l.Users[0].Fields.Get(spec.State) != inactive {
		t.Errorf("%+v, %v", l, err)
	}
}

// A manager is known from the snapshot, from a listing, from an answer, and at the last from a search.
func TestManagerIsFound(t *testing.T) {
	var mu sync.Mutex
	var sent []string
	f := &fake{api: func(r *http.Request, body string) reply {
		switch {
		case r.Method == http.MethodPatch:
			mu.Lock()
			sent = append(sent, body)
			mu.Unlock()
			return userReply(r, body)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/search"):
			return jsonReply(200, `{"results":[{"id":"found","email":"found@example.com","state":"active"}]}`)
		case r.Method == http.MethodPost:
			return jsonReply(200, `{"id":"made","version":1,"email":"made@example.com","state":"active"}`)
		case r.URL.Path == "/api/v2/users":
			return jsonReply(200, `{"entities":[{"id":"listed","version":1,"email":"Listed@example.com","state":"active"}],"pageCount":1}`)
		case strings.HasSuffix(r.URL.Path, "/found"):
			return jsonReply(200, `{"id":"found","version":1,"email":"found@example.com"}`)
		}
		return jsonReply(200, `{"id":"read","version":1,"email":"read@example.com"}`)
	}}
	d, _ := open(t, f, nil)
	kept := &state.User{Observed: state.Observed{ID: "kept", Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text("kept@example.com"), spec.State: active})}}
	dead := &state.User{Observed: state.Observed{ID: "dead", Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text("kept@example.com"), spec.State: spec.Text("deleted")})}}
	if _, err := d.Open(t.Context(), map[string]*state.User{"kept": kept, "dead": dead}); err != nil {
		t.Fatal(err)
	}
	if _, err := list(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Get(t.Context(), "read"); err != nil {
		t.Fatal(err)
	}
	if _, err := do(t, d, differing(plan.Create, nil, spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text("made@example.com"), spec.Name: spec.Text("M")}))); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"kept", "listed", "read", "made", "found"} {
		sent = nil
		if _, err := do(t, d, differing(plan.Update, known(nil), spec.FieldsOf(map[spec.Field]spec.Value{spec.Manager: spec.Text(who + "@example.com")}))); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"manager":%q,"version":7}`, who); len(sent) != 1 || sent[0] != want {
			t.Errorf("sent %v, want %s", sent, want)
		}
	}
	if n := f.count("POST /api/v2/users/search"); n != 1 {
		t.Errorf("%d searches, want one", n)
	}
}
