package sim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

const search = users + "/search"

// found searches and returns the addresses.
func (w *org) found(body string) string {
	w.Helper()
	return w.must(http.MethodPost, search, body).emails("results")
}

func byEmail(email string) string {
	return fmt.Sprintf(`{"query":[{"type":"EXACT","fields":["email"],"value":%q}]}`, email)
}

func TestSearch(t *testing.T) {
	w := newOrg(t, sim.Options{IndexLag: -1})
	for name, state := range map[string]string{"Ana Silva": "active", "Bob Silva": "active", "Silvana Ruiz": "inactive", "Rui Costa": "deleted"} {
		given, family, _ := strings.Cut(strings.ToLower(name), " ")
		w.Add(sim.User{Name: name, Email: given + "." + family + "@example.com", State: state})
	}
	sorted := func(s string) string { return `{"sortBy":"email","query":[` + s + `]}` }
	const ana, bob, silvana, rui = "ana.silva@example.com", "bob.silva@example.com", "silvana.ruiz@example.com", "rui.costa@example.com"
	for query, want := range map[string]string{
		`{"type":"EXACT","fields":["email"],"value":"ana.silva@example.com"}`:                            ana,
		`{"type":"EXACT","fields":["email"],"value":"ANA.Silva@example.com"}`:                            ana,
		`{"type":"EXACT","fields":["email"],"value":"ana.silva"}`:                                        "",
		`{"type":"EXACT","fields":["email"],"value":"ana.silva@example.com","operator":"NOT"}`:           bob,
		`{"type":"EXACT","fields":["email"],"values":["bob.silva@example.com","ana.silva@example.com"]}`: ana + " " + bob,
		`{"type":"STARTS_WITH","fields":["name"],"value":"bo"}`:                                          bob,
		`{"type":"CONTAINS","fields":["name","email"],"value":"SILVA"}`:                                  ana + " " + bob,
		`{"type":"TERM","fields":["name"],"value":"silva"}`:                                              ana + " " + bob,
		`{"type":"TERM","fields":["name"],"value":"sil"}`:                                                "",
		`{"type":"TERMS","fields":["name"],"values":["ana","bob"]}`:                                      ana + " " + bob,
		`{"type":"EXACT","fields":["state"],"values":["deleted"]}`:                                       rui,
		`{"type":"EXACT","fields":["state"],"values":["inactive","deleted"]}`:                            rui + " " + silvana,
		`{"type":"EXACT","fields":["email"],"value":"rui.costa@example.com"}`:                            "", // deleted: must be asked for
		`{"type":"EXACT","fields":["email"],"value":"rui.costa@example.com"},
		 {"type":"EXACT","fields":["state"],"values":["deleted"]}`: rui,
		`{"type":"CONTAINS","fields":["name"],"value":"silva"},{"type":"STARTS_WITH","fields":["email"],"value":"a","operator":"AND"}`: ana,
	} {
		if got := w.found(sorted(query)); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := w.found(`{"sortBy":"name","sortOrder":"DESC"}`); got != bob+" "+ana {
		t.Errorf("backwards: %s", got)
	}
	r := w.must(http.MethodPost, search, `{"sortBy":"name","pageSize":1,"pageNumber":2,"expand":["certifications"]}`)
	if r.emails("results") != bob || r.number("total") != 2 || r.number("pageCount") != 2 || r.number("pageSize") != 1 || r.number("pageNumber") != 2 ||
		r.json["entities"] != nil || r.list("results")[0]["certifications"] == nil {
		t.Errorf("%s", r.body)
	}
	if r := w.must(http.MethodPost, search, `{"pageNumber":3}`); len(r.list("results")) != 0 || r.number("total") != 2 {
		t.Errorf("beyond the end: %s", r.body)
	}
}

func TestSearchRefuses(t *testing.T) {
	w := newOrg(t, sim.Options{SearchPage: 50})
	criterion := func(s string) string { return `{"query":[` + s + `]}` }
	for _, body := range []string{
		`{"pageSize":51}`, `{"pageSize":-1}`, `{"pageNumber":-1}`, `{"sortOrder":"up"}`, `{"sortBy":"nonsense"}`, `{"nonsense":1}`,
		criterion(`{}`), criterion(`{"type":"REGEX","fields":["email"],"value":"x"}`), criterion(`{"type":"EXACT","value":"x"}`),
		criterion(`{"type":"EXACT","fields":["email"]}`), criterion(`{"type":"EXACT","fields":["title"],"value":"x"}`),
		criterion(`{"type":"EXACT","fields":["email"],"value":"x","operator":"OR"}`),
	} {
		w.refused(w.call(http.MethodPost, search, body), 400, "bad.request")
	}
	w.refused(w.call(http.MethodPost, search, `{"expand":["x"]}`), 400, "invalid.query.param.value")
	values := func(n int) string {
		return criterion(`{"type":"EXACT","fields":["email"],"values":["a@example.com"` + strings.Repeat(`,"b@example.com"`, n-1) + `]}`)
	}
	w.must(http.MethodPost, search, values(50))
	w.refused(w.call(http.MethodPost, search, values(51)), 400, "search.criteria.values.exceed.limit")
	w.must(http.MethodPost, search, `{"pageSize":50}`)
}

// The index is behind: new users, new addresses and deletions are found later, and one after another.
func TestSearchLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{})
		const old, fresh = "ana@example.com", "ana.silva@example.com"
		id := w.must(http.MethodPost, users, `{"name":"Ana","email":"ana@example.com","state":"active"}`).text("id") // at 0 s
		time.Sleep(time.Second)
		w.must(http.MethodPatch, users+"/"+id, `{"version":1,"email":"ana.silva@example.com"}`) // at 1 s
		time.Sleep(time.Second)
		w.must(http.MethodDelete, users+"/"+id, "") // at 2 s
		for second, want := range [][2]string{{"", ""}, {old, ""}, {"", fresh}, {"", ""}} {
			for i, email := range []string{old, fresh} {
				got := w.found(byEmail(email))
				if want := want[i]; got != want {
					t.Errorf("at %d s %s finds %q, want %q", second+2, email, got, want)
				}
			}
			time.Sleep(time.Second)
		}
	})
}
