package sim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/sync/genesys/sim"
)

func TestUtilization(t *testing.T) {
	w := staff(t, sim.Options{})
	const self = "/api/v2/routing/users/u-1/utilization"
	read := func() string {
		r := w.must(http.MethodGet, self, "")
		all, _ := r.json["utilization"].(object)
		s := r.text("level")
		for _, media := range []string{"call", "callback", "chat", "email", "message"} {
			c, _ := all[media].(object)
			s += fmt.Sprintf(" %v%v", c["maximumCapacity"], c["interruptableMediaTypes"])
		}
		return s
	}
	const standard = "Organization 1[] 1[] 4[] 1[] 4[]"
	for _, c := range []struct{ method, body, want string }{
		{http.MethodGet, "", standard},
		{http.MethodPut, `{"utilization":{"chat":{"maximumCapacity":25,"interruptableMediaTypes":["call"],"includeNonAcd":true}}}`, "Agent 1[] 1[] 25[call] 1[] 4[]"},
		{http.MethodPut, `{"utilization":{"call":{"maximumCapacity":0}}}`, "Agent 0[] 1[] 4[] 1[] 4[]"}, // replaces: chat is the organization's again
		{http.MethodDelete, "", standard},
		{http.MethodPut, `{"utilization":{},"labelUtilizations":{}}`, "Agent" + strings.TrimPrefix(standard, "Organization")},
	} {
		w.must(c.method, self, c.body)
		if got := read(); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.body, got, c.want)
		}
	}
	if u := w.first(); u.Version != 5 || u.Writes != 4 {
		t.Errorf("%+v", u)
	}
	for _, body := range []string{
		`{"utilization":{"fax":{"maximumCapacity":1}}}`, `{"utilization":{"chat":{}}}`, `{"utilization":{"chat":{"maximumCapacity":26}}}`,
		`{"utilization":{"chat":{"maximumCapacity":-1}}}`, `{"utilization":{"chat":{"maximumCapacity":1,"interruptableMediaTypes":["fax"]}}}`,
		`{"utilization":{"chat":{"maximumCapacity":1,"interruptibleMediaTypes":["call"]}}}`, `{"labelUtilizations":{"x":{"maximumCapacity":1}}}`, `{"level":"Agent"}`,
	} {
		w.refused(w.call(http.MethodPut, self, body), 400, "bad.request")
	}
	w.refused(w.call(http.MethodGet, "/api/v2/routing/users/u-9/utilization", ""), 404, "not.found")
}

// Labels stand beside the media: all of them are shown, with names, which a request does not have.
func TestUtilizationLabels(t *testing.T) {
	w := staff(t, sim.Options{})
	const self, org = "/api/v2/routing/users/u-1/utilization", "/api/v2/routing/utilization"
	vip, gold := w.Define(sim.Label, "VIP"), w.Define(sim.Label, "Gold")
	w.EditUtilization(func(u *sim.Utilization) { u.Labels[gold] = sim.LabelCapacity{MaximumCapacity: 3} })
	shown := func(path string) string {
		r := w.must(http.MethodGet, path, "")
		all, _ := r.json["labelUtilizations"].(object)
		s := ""
		for _, id := range []string{vip, gold} {
			c, _ := all[id].(object)
			s += fmt.Sprintf("%v %v%v, ", c["labelName"], c["maximumCapacity"], len(c["interruptingLabelIds"].([]any)))
		}
		return s + fmt.Sprint(r.json["maxInboundCalls"], r.json["level"])
	}
	const standard = "VIP 00, Gold 30, <nil>"
	for _, c := range []struct{ body, want string }{
		{`{"utilization":{"workitem":{"maximumCapacity":7}},"maxInboundCalls":2}`, "VIP 00, Gold 30, 2Agent"},
		{`{"labelUtilizations":{"` + vip + `":{"maximumCapacity":2,"interruptingLabelIds":["` + gold + `"]}}}`, "VIP 21, Gold 30, <nil>Agent"},
		{`{"labelUtilizations":{"` + gold + `":{"maximumCapacity":0}}}`, "VIP 00, Gold 00, <nil>Agent"}, // replaces
	} {
		w.must(http.MethodPut, self, c.body)
		if got := shown(self); got != c.want {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
	w.must(http.MethodDelete, self, "")
	if a, b := shown(self), shown(org); a != standard+"Organization" || b != standard+" <nil>" {
		t.Errorf("%s; %s", a, b)
	}
	for _, body := range []string{`{"maximumCapacity":1,"labelName":"VIP"}`, `{}`, `{"maximumCapacity":26}`, `{"maximumCapacity":1,"interruptingLabelIds":["x"]}`} {
		w.refused(w.call(http.MethodPut, self, `{"labelUtilizations":{"`+vip+`":`+body+`}}`), 400, "bad.request")
	}
	if r := w.must(http.MethodGet, org+"/labels?name=v*", ""); r.number("total") != 1 || !strings.Contains(r.body, `"name":"VIP"`) {
		t.Errorf("%s", r.body)
	}
}

func TestVoicemail(t *testing.T) {
	w := staff(t, sim.Options{})
	const self = "/api/v2/voicemail/userpolicies/u-1"
	const standard = `{"enabled":true,"alertTimeoutSeconds":20,"sendEmailNotifications":true}`
	for _, c := range []struct{ method, body, want string }{
		{http.MethodGet, "", standard},
		{http.MethodPatch, `{"alertTimeoutSeconds":30,"pin":"1234"}`, `{"enabled":true,"alertTimeoutSeconds":30,"sendEmailNotifications":true}`},
		{http.MethodPatch, `{"sendEmailNotifications":false}`, `{"enabled":true,"alertTimeoutSeconds":30,"sendEmailNotifications":false}`},
		{http.MethodPut, `{"enabled":false}`, `{"enabled":false,"alertTimeoutSeconds":20,"sendEmailNotifications":true}`},
		{http.MethodPatch, `{}`, `{"enabled":false,"alertTimeoutSeconds":20,"sendEmailNotifications":true}`},
	} {
		if r := w.must(c.method, self, c.body); r.body != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.body, r.body, c.want)
		}
		if r := w.must(http.MethodGet, self, ""); r.body != c.want {
			t.Errorf("%s %s reads %s, want %s", c.method, c.body, r.body, c.want)
		}
	}
	for _, body := range []string{`{"alertTimeoutSeconds":0}`, `{"alertTimeoutSeconds":"30"}`, `{"timeout":30}`, `[]`} {
		w.refused(w.call(http.MethodPatch, self, body), 400, "bad.request")
	}
	// By hand, what is not named stays as it reads, and what nobody has set stays unset.
	w.Edit("bob@example.com", func(u *sim.User) { u.Title = "New" })
	w.Edit("cy@example.com", func(u *sim.User) { u.Voicemail.SendEmailNotifications = false })
	all := w.Users()
	if all[1].Voicemail != (sim.Voicemail{}) || all[2].Voicemail != (sim.Voicemail{Enabled: true, AlertTimeoutSeconds: 20}) {
		t.Errorf("%+v, %+v", all[1].Voicemail, all[2].Voicemail)
	}
}

func TestExternalIDs(t *testing.T) {
	w := staff(t, sim.Options{})
	const self, find = users + "/u-1/externalid", users + "/externalid/"
	add := func(authority, key string) string {
		return fmt.Sprintf(`{"authorityName":%q,"externalKey":%q}`, authority, key)
	}
	w.must(http.MethodPost, self, add("hr", "7/a b"))
	r := w.must(http.MethodPost, self, add("HR", "7")) // case counts
	for _, r := range []reply{r, w.must(http.MethodGet, self, "")} {
		if !strings.Contains(r.body, `[{"authorityName":"HR","externalKey":"7",`) || !strings.Contains(r.body, `{"authorityName":"hr","externalKey":"7/a b",`) {
			t.Errorf("%s", r.body)
		}
	}
	w.must(http.MethodPost, self, add("HR", "7")) // once more is no conflict
	if u := w.first(); u.Version != 3 || u.Writes != 2 {
		t.Errorf("%+v", u)
	}
	if r := w.must(http.MethodGet, find+"hr/"+url.PathEscape("7/a b")+"?expand=skills", ""); r.text("id") != "u-1" || r.json["skills"] == nil {
		t.Errorf("%s", r.body)
	}
	w.refused(w.call(http.MethodPost, self, add("HR", "8")), 409, "general.conflict")
	w.refused(w.call(http.MethodPost, users+"/u-2/externalid", add("HR", "7")), 409, "general.resource.conflict")
	for _, body := range []string{`{}`, add("hr", ""), add("", "7"), `{"authority":"x"}`} {
		w.refused(w.call(http.MethodPost, self, body), 400, "bad.request")
	}
	w.refused(w.call(http.MethodDelete, self+"/HR/8", ""), 404, "not.found")
	if r := w.must(http.MethodDelete, self+"/HR/7", ""); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	w.refused(w.call(http.MethodDelete, self+"/HR/7", ""), 404, "not.found")
	w.refused(w.call(http.MethodGet, find+"HR/7", ""), 404, "not.found")
	w.must(http.MethodPost, users+"/u-2/externalid", add("HR", "7")) // free again
	w.Edit("ana@example.com", func(u *sim.User) {
		u.ExternalIDs = map[string]string{}
		for i := range 100 {
			u.ExternalIDs[fmt.Sprint("a", i)] = "1"
		}
	})
	w.refused(w.call(http.MethodPost, self, add("one more", "1")), 400, "bad.request")
	if r := w.must(http.MethodGet, find+"a99/1", ""); r.text("id") != "u-1" {
		t.Errorf("%s", r.body)
	}
}

func TestPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := staff(t, sim.Options{PasswordAge: time.Minute})
		const self = users + "/u-1/password"
		began := time.Now().UTC()
		if r := w.must(http.MethodPost, self, `{"newPassword":"secret"}`); r.status != 204 || r.body != "" {
			t.Errorf("%d %s", r.status, r.body)
		}
		time.Sleep(time.Minute - 1)
		r := w.call(http.MethodPost, self, `{"newPassword":"another"}`)
		w.refused(r, 400, "bad.request")
		if want := "password cannot be changed until " + began.Add(time.Minute).Format("2006-01-02T15:04:05.000Z"); !strings.HasSuffix(r.text("message"), want) {
			t.Errorf("%s, want %s", r.text("message"), want)
		}
		time.Sleep(time.Nanosecond)
		w.must(http.MethodPost, self, `{"newPassword":"another"}`)
		for _, body := range []string{`{}`, `{"newPassword":""}`, `{"password":"x"}`} {
			w.refused(w.call(http.MethodPost, self, body), 400, "bad.request")
		}
		id := w.must(http.MethodPost, users, `{"name":"New","email":"new@example.com","password":"p"}`).text("id")
		w.refused(w.call(http.MethodPost, users+"/"+id+"/password", `{"newPassword":"another"}`), 400, "bad.request")
		w.refused(w.call(http.MethodPost, users+"/u-9/password", `{"newPassword":"another"}`), 404, "not.found")
		if u := w.first(); u.Writes != 2 || u.Version != 1 || strings.Contains(w.Snapshot("u-1"), "another") {
			t.Errorf("%+v", u)
		}
	})
}

func TestDivisionMove(t *testing.T) {
	w := staff(t, sim.Options{DivisionBatch: 3})
	emea := w.IDOf(sim.Division, "EMEA")
	path := divisions + "/" + emea + "/objects/USER"
	if r := w.must(http.MethodPost, path, `["u-1","u-2","u-1"]`); r.status != 204 || r.body != "" {
		t.Errorf("%d %s", r.status, r.body)
	}
	for i, u := range w.Users() {
		want := 0
		if i < 2 {
			want = 1
		}
		if (u.Division == emea) != (want == 1) || u.Writes != want || u.Version != 1+want {
			t.Errorf("%+v", u)
		}
	}
	if d, _ := w.must(http.MethodGet, users+"/u-1", "").json["division"].(object); d["name"] != "EMEA" || d["id"] != emea {
		t.Errorf("%v", d)
	}
	before := w.Users()
	for body, status := range map[string]int{`[]`: 400, `null`: 400, `{}`: 400, `[1]`: 400, `["u-1","u-2","u-3","u-4"]`: 400, `["u-3","nobody"]`: 404, `["u-3","u-9"]`: 404} {
		w.refused(w.call(http.MethodPost, path, body), status, map[int]string{400: "bad.request", 404: "not.found"}[status])
	}
	w.refused(w.call(http.MethodPost, divisions+"/nowhere/objects/USER", `["u-3"]`), 404, "not.found")
	w.refused(w.call(http.MethodPost, divisions+"/*/objects/USER", `["u-3"]`), 404, "not.found")
	w.refused(w.call(http.MethodPost, divisions+"/"+emea+"/objects/FLOW", `["u-3"]`), 400, "bad.request")
	if diff := cmp.Diff(before, w.Users()); diff != "" {
		t.Error(diff)
	}
	if r := w.must(http.MethodPost, users, `{"name":"New","email":"new@example.com","divisionId":"`+emea+`"}`); !strings.Contains(r.body, `"name":"EMEA"`) {
		t.Errorf("%s", r.body)
	}
	for status, code := range map[int]string{403: "missing.division.permission", 404: "not.found"} {
		h := newOrg(t, sim.Options{Users: 2, Hide: 2, HiddenStatus: status})
		hidden := h.Users()[1].ID
		h.refused(h.call(http.MethodPost, path, `["`+h.first().ID+`","`+hidden+`"]`), status, code)
		h.refused(h.call(http.MethodPut, users+"/"+hidden+"/profileskills", `[]`), status, code)
	}
}

// PATCH of the user takes places by id, and they read back in another shape.
func TestPatchParts(t *testing.T) {
	w := staff(t, sim.Options{})
	madrid := w.IDOf(sim.Location, "Madrid HQ")
	body := fmt.Sprintf(`{"version":1,"locations":[{"id":%q,"notes":"3rd floor"}],"profileSkills":["Chess"],"biography":{"biography":"B","hobbies":["x"]},"groups":[],"images":[]}`, madrid)
	w.must(http.MethodPatch, users+"/u-1", body)
	r := w.must(http.MethodGet, users+"/u-1?expand=locations,profileSkills,biography", "")
	for _, want := range []string{`"locations":[{"notes":"3rd floor","locationDefinition":{"id":"` + madrid + `","name":"Madrid HQ"`, `"profileSkills":["Chess"]`, `"biography":{"biography":"B"}`} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s lacks %s", r.body, want)
		}
	}
	for _, part := range []string{`"locations":[{"id":"nowhere"}]`, `"locations":[{"locationDefinition":{"id":"` + madrid + `"}}]`, `"locations":[{}]`,
		`"locations":[{"id":"` + madrid + `"},{"id":"` + madrid + `"}]`, `"profileSkills":"x"`, `"biography":"x"`} {
		w.refused(w.call(http.MethodPatch, users+"/u-1", `{"version":2,`+part+`}`), 400, "bad.request")
	}
	w.must(http.MethodPatch, users+"/u-1", `{"version":2,"locations":[],"profileSkills":[]}`)
	if u := w.first(); len(u.Locations) != 0 || len(u.ProfileSkills) != 0 || u.Biography != "B" {
		t.Errorf("%+v", u)
	}
}
