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

// ids writes a list of objects with ids, as a queue takes it.
func ids(all ...string) string {
	var s []string
	for _, id := range all {
		s = append(s, fmt.Sprintf(`{"id":%q}`, id))
	}
	return "[" + strings.Join(s, ",") + "]"
}

// members tells a queue's members as the API lists them.
func (r reply) members() string {
	var all []string
	for _, m := range r.list("entities") {
		all = append(all, fmt.Sprint(m["name"], " ", m["memberBy"], " ", m["joined"]))
	}
	return strings.Join(all, ", ")
}

// staff is an organization of a few users whose ids are easy to read.
func staff(t *testing.T, o sim.Options) *org {
	w := newOrg(t, o)
	for i, name := range []string{"Ana", "Bob", "Cy", "Dee"} {
		w.Add(sim.User{ID: fmt.Sprint("u-", i+1), Name: name, Email: strings.ToLower(name) + "@example.com"})
	}
	w.Add(sim.User{ID: "u-9", Name: "Gone", Email: "gone@example.com", State: "deleted"})
	return w
}

func TestQueueMembers(t *testing.T) {
	w := staff(t, sim.Options{})
	queue, group := w.IDOf(sim.Queue, "Billing ES"), w.IDOf(sim.Group, "Madrid")
	path := queues + "/" + queue + "/members"
	w.SetMembers(sim.Group, group, "u-3", "u-1")
	for _, c := range []struct{ query, body, want string }{
		{"", ids("u-2", "u-1"), "Ana user true, Bob user true"},
		{"?delete=false", ids("u-2", "u-2"), "Ana user true, Bob user true"},
		{"?delete=true", ids("u-1", "u-4"), "Bob user true"},
	} {
		if r := w.must(http.MethodPost, path+c.query, c.body); r.status != 204 || r.body != "" {
			t.Errorf("%d %s", r.status, r.body)
		}
		if got := w.must(http.MethodGet, path, "").members(); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.query, c.body, got, c.want)
		}
	}
	if u := w.Users(); u[0].Writes != 2 || u[1].Writes != 1 || u[3].Writes != 0 || u[0].Version != 1 {
		t.Errorf("writes %d, %d, %d, version %d", u[0].Writes, u[1].Writes, u[3].Writes, u[0].Version)
	}

	w.SetMemberGroups(queue, group)
	r := w.must(http.MethodGet, path, "")
	if r.members() != "Ana group true, Bob user true, Cy group true" || r.json["total"] != nil || r.json["pageCount"] != nil {
		t.Errorf("%s", r.body)
	}
	for query, want := range map[string]string{
		"?memberBy=user": "Bob user true", "?memberBy=group": "Ana group true, Cy group true", "?name=B": "Bob user true", "?joined=false": "",
		"?sortOrder=desc": "Cy group true, Bob user true, Ana group true", "?pageSize=2&pageNumber=2": "Cy group true", "?pageNumber=9": "",
	} {
		if got := w.must(http.MethodGet, path+query, "").members(); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if got := w.Members(sim.Queue, queue); !slices.Equal(got, []string{"u-2"}) {
		t.Errorf("direct members %v", got)
	}
	for _, q := range w.must(http.MethodGet, queues+"?name=Billing*", "").list("entities") {
		if want := map[any][2]float64{"Billing ES": {3, 1}}[q["name"]]; q["memberCount"] != want[0] || q["userMemberCount"] != want[1] || q["division"] == nil {
			t.Errorf("%v", q)
		}
	}

	for _, body := range []string{ids("u-1"), ids("u-4", "u-3"), `[]`, `null`, `{}`, `["u-1"]`, `[{"id":"u-1","joined":true}]`, ids(make([]string, 101)...)} {
		for _, query := range []string{"", "?delete=true"} {
			w.refused(w.call(http.MethodPost, path+query, body), 400, "bad.request")
		}
	}
	w.refused(w.call(http.MethodPost, path, ids("u-4", "nobody")), 400, "invalid.id")
	w.refused(w.call(http.MethodPost, path, ids("u-9")), 400, "invalid.id")
	w.refused(w.call(http.MethodPost, queues+"/nothing/members", ids("u-4")), 404, "not.found")
	w.refused(w.call(http.MethodGet, queues+"/nothing/members", ""), 404, "not.found")
	for _, query := range []string{"?pageSize=101", "?memberBy=fate", "?joined=x", "?sortOrder=ASCENDING"} {
		w.refused(w.call(http.MethodGet, path+query, ""), 400, "invalid.query.param.value")
	}
	if got := w.must(http.MethodGet, path, "").members(); got != "Ana group true, Bob user true, Cy group true" {
		t.Errorf("a refused request changed something: %s", got)
	}
	w.must(http.MethodDelete, users+"/u-2", "")
	if got := w.must(http.MethodGet, path+"?memberBy=user", "").members(); got != "" {
		t.Errorf("a deleted user is listed: %s", got)
	}
	f := staff(t, sim.Options{Forbid: "routing:queueMember:manage"})
	f.refused(f.call(http.MethodPost, queues+"/"+queue+"/members", ids("u-1")), 403, "missing.any.permissions")
}

// Whom a group has by a rule or as owners is shown, and cannot be removed.
func TestGivenMembers(t *testing.T) {
	w := staff(t, sim.Options{})
	queue, group := w.IDOf(sim.Queue, "Billing ES"), w.IDOf(sim.Group, "Madrid")
	path := groups + "/" + group
	w.SetMembers(sim.Group, group, "u-1", "u-2")
	w.SetGiven(group, "u-2", "u-3", "u-9")
	w.SetMemberGroups(queue, group)
	names := func(path string) string {
		var all []string
		for _, u := range w.must(http.MethodGet, path, "").list("entities") {
			all = append(all, fmt.Sprint(u["name"]))
		}
		return strings.Join(all, " ")
	}
	shows := func(members, individuals string) {
		t.Helper()
		if got := names(path+"/members") + "; " + names(path+"/individuals"); got != members+"; "+individuals {
			t.Errorf("%s, want %s; %s", got, members, individuals)
		}
		if n := w.must(http.MethodGet, path, "").number("memberCount"); n != len(strings.Fields(members)) {
			t.Errorf("%d members", n)
		}
	}
	shows("Ana Bob Cy", "Ana Bob")
	w.must(http.MethodDelete, path+"/members?ids=u-1,u-2,u-3", "")
	shows("Bob Cy", "")
	for id, in := range map[string]bool{"u-1": false, "u-2": true, "u-3": true} {
		if got := strings.Contains(w.must(http.MethodGet, users+"/"+id+"?expand=groups", "").body, group); got != in {
			t.Errorf("%s: %t", id, got)
		}
	}
	if got := w.must(http.MethodGet, queues+"/"+queue+"/members", "").members(); got != "Bob group true, Cy group true" {
		t.Errorf("%s", got)
	}
	w.refused(w.call(http.MethodGet, path+"/individuals?pageSize=5", ""), 400, "invalid.query.param.value")
}

// What a queue is told is carried out later, in the order in which it was told.
func TestQueueDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := staff(t, sim.Options{QueueDelay: 10 * time.Second})
		queue := w.IDOf(sim.Queue, "Billing ES")
		path := queues + "/" + queue + "/members"
		w.must(http.MethodPost, path, ids("u-1", "u-2"))
		time.Sleep(5 * time.Second)
		w.must(http.MethodPost, path+"?delete=true", ids("u-1"))
		for _, c := range []struct {
			wait time.Duration
			want string
		}{{5*time.Second - 1, ""}, {1, "Ana user true, Bob user true"}, {5*time.Second - 1, "Ana user true, Bob user true"}, {1, "Bob user true"}} {
			time.Sleep(c.wait)
			if got := w.must(http.MethodGet, path, "").members(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		}
		w.must(http.MethodPatch, users+"/u-2/queues", `[{"id":"`+queue+`","joined":false}]`)
		if got := w.must(http.MethodGet, path, "").members(); got != "Bob user true" {
			t.Errorf("%s", got)
		}
		time.Sleep(10 * time.Second)
		if got := w.must(http.MethodGet, path, "").members(); got != "Bob user false" {
			t.Errorf("%s", got)
		}
	})
}

func TestUserQueues(t *testing.T) {
	w := staff(t, sim.Options{})
	es, en, group := w.IDOf(sim.Queue, "Billing ES"), w.IDOf(sim.Queue, "Billing EN"), w.IDOf(sim.Group, "Madrid")
	w.SetMembers(sim.Queue, es, "u-1", "u-2")
	w.SetMembers(sim.Group, group, "u-1")
	w.SetMemberGroups(en, group)
	const self = users + "/u-1/queues"
	joined := func(query string) string {
		var all []string
		for _, q := range w.must(http.MethodGet, self+query, "").list("entities") {
			all = append(all, fmt.Sprint(q["name"], " ", q["joined"]))
		}
		return strings.Join(all, ", ")
	}
	if got := joined(""); got != "Billing EN true, Billing ES true" {
		t.Errorf("%s", got)
	}
	// A queue that one is no member of is disregarded.
	w.must(http.MethodPatch, self, `[{"id":"`+es+`","joined":false},{"id":"`+w.IDOf(sim.Queue, "Retention")+`","joined":true},{"id":"nothing","joined":true}]`)
	for query, want := range map[string]string{
		"": "Billing EN true, Billing ES false", "?joined=true": "Billing EN true", "?joined=false": "Billing ES false", "?divisionId=nowhere": "", "?pageSize=1&pageNumber=2": "Billing ES false",
	} {
		if got := joined(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if u := w.first(); u.Writes != 1 || u.Version != 1 {
		t.Errorf("%+v", u)
	}
	for _, body := range []string{`[{"id":"` + es + `"}]`, `[{"joined":true}]`, `{}`, `[{"id":"x","joined":true,"delete":true}]`} {
		w.refused(w.call(http.MethodPatch, self, body), 400, "bad.request")
	}
	w.refused(w.call(http.MethodGet, users+"/u-9/queues", ""), 404, "not.found")
}

func TestGroupMembers(t *testing.T) {
	w := staff(t, sim.Options{})
	group := w.IDOf(sim.Group, "Madrid")
	self := groups + "/" + group
	members := self + "/members"
	body := func(version int, all ...string) string {
		return fmt.Sprintf(`{"memberIds":["%s"],"version":%d}`, strings.Join(all, `","`), version)
	}
	w.must(http.MethodPost, members, body(1, "u-2", "u-1"))
	w.must(http.MethodPost, members, body(2, "u-2", "u-3"))
	r := w.must(http.MethodDelete, members+"?ids=u-1,u-4", "")
	if g := w.must(http.MethodGet, self, ""); g.number("version") != 4 || g.number("memberCount") != 2 || g.text("name") != "Madrid" || r.body != "{}" {
		t.Errorf("%s %s", g.body, r.body)
	}
	if r := w.must(http.MethodGet, members+"?expand=groups&sortOrder=descending", ""); r.emails("entities") != "cy@example.com bob@example.com" || r.number("total") != 2 ||
		!strings.Contains(r.body, `"groups":[{"id":"`+group) {
		t.Errorf("%s", r.body)
	}
	if u := w.Users(); u[0].Writes != 2 || u[1].Writes != 1 || u[2].Writes != 1 || u[3].Writes != 0 {
		t.Errorf("%+v", u)
	}
	seen := map[int]int{}
	for range 4 {
		r := w.call(http.MethodPost, members, body(3, "u-4"))
		seen[r.status]++
		if r.status == 400 && !strings.Contains(r.text("message"), "does not match the current version") {
			t.Errorf("%s", r.body)
		}
	}
	if seen[409] != 2 || seen[400] != 2 {
		t.Errorf("%v, want 409 and 400 by turns", seen)
	}
	for _, b := range []string{`{"memberIds":["u-4"]}`, `{"version":4}`, `{"memberIds":[],"version":4}`, body(4, "nobody"), body(4, "u-9"), body(4, make([]string, 51)...), `[]`} {
		w.refused(w.call(http.MethodPost, members, b), 400, "bad.request")
	}
	for _, query := range []string{"", "?ids=", "?ids=nobody", "?ids=" + strings.Repeat("u-1,", 50) + "u-1"} {
		w.refused(w.call(http.MethodDelete, members+query, ""), 400, "bad.request")
	}
	w.refused(w.call(http.MethodGet, groups+"/nothing", ""), 404, "not.found")
	w.refused(w.call(http.MethodPost, groups+"/nothing/members", body(1, "u-1")), 404, "not.found")
	if got := w.Members(sim.Group, group); !slices.Equal(got, []string{"u-2", "u-3"}) {
		t.Errorf("%v", got)
	}
	f := staff(t, sim.Options{Forbid: "directory:group:edit"})
	f.refused(f.call(http.MethodPost, members, body(1, "u-1")), 403, "missing.any.permissions")
	f.refused(f.call(http.MethodDelete, members+"?ids=u-1", ""), 403, "missing.any.permissions")
}

// The vendor's Terraform provider reads the ring of every member.
func TestRings(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 3})
	queue, id := w.IDOf(sim.Queue, "Billing ES"), w.first().ID
	members := "/api/v2/routing/queues/" + queue + "/members"
	ring := func(want float64) {
		t.Helper()
		if list := w.must(http.MethodGet, members, "").list("entities"); len(list) != 1 || list[0]["ringNumber"] != want {
			t.Errorf("members %v, want one in ring %v", list, want)
		}
	}
	w.refused(w.call(http.MethodPatch, members+"/"+id, `{"ringNumber":2}`), 404, "resource.not.found")
	w.must(http.MethodPost, members, `[{"id":"`+id+`"}]`)
	ring(1)
	if r := w.must(http.MethodPatch, members+"/"+id, `{"id":"`+id+`","ringNumber":2}`); r.status != 202 {
		t.Errorf("%d %s", r.status, r.body)
	}
	ring(2)
	w.must(http.MethodPost, members+"?delete=true", `[{"id":"`+id+`"}]`)
	w.must(http.MethodPost, members, `[{"id":"`+id+`"}]`)
	ring(1)
}
