package sim_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// part is one write of what hangs under u-1, in an organization of staff.
type part struct{ name, method, path, body string }

// parts are such writes, of every kind that is a user's own.
func (w *org) parts() []part {
	role, home, emea := w.IDOf(sim.Role, "Agent"), w.IDOf(sim.Division, "Home"), w.IDOf(sim.Division, "EMEA")
	const self = users + "/u-1"
	return []part{
		{"PUT /api/v2/users/{id}/routingskills/bulk", http.MethodPut, self + "/routingskills/bulk", w.rated(sim.Skill, "Billing", 4)},
		{"PATCH /api/v2/users/{id}/routinglanguages/bulk", http.MethodPatch, self + "/routinglanguages/bulk", w.rated(sim.Language, "Spanish", 5)},
		{"PUT /api/v2/users/{id}/profileskills", http.MethodPut, self + "/profileskills", `["Chess"]`},
		{"POST /api/v2/authorization/subjects/{id}/bulkadd", http.MethodPost, subjects + "/u-1/bulkadd", grantsBody(role, home)},
		{"POST /api/v2/authorization/divisions/{division}/objects/USER", http.MethodPost, divisions + "/" + emea + "/objects/USER", `["u-1"]`},
		{"PUT /api/v2/routing/users/{id}/utilization", http.MethodPut, "/api/v2/routing/users/u-1/utilization", `{"utilization":{"call":{"maximumCapacity":2}}}`},
		{"PATCH /api/v2/voicemail/userpolicies/{id}", http.MethodPatch, "/api/v2/voicemail/userpolicies/u-1", `{"alertTimeoutSeconds":30}`},
		{"POST /api/v2/users/{id}/externalid", http.MethodPost, self + "/externalid", `{"authorityName":"hr","externalKey":"7"}`},
	}
}

func TestVersionBump(t *testing.T) {
	for _, still := range []bool{false, true} {
		w := staff(t, sim.Options{NoVersionBump: still})
		for i, p := range w.parts() {
			w.must(p.method, p.path, p.body)
			want := i + 2
			if still {
				want = 1
			}
			if u := w.first(); u.Version != want || u.Writes != i+1 || w.Ledger().Count(p.name) != 1 {
				t.Errorf("%s: version %d, want %d; %d writes; %v", p.name, u.Version, want, u.Writes, w.Ledger().Calls)
			}
		}
		w.Edit("ana@example.com", func(u *sim.User) { u.Skills = nil })
		if u := w.first(); u.Version != map[bool]int{true: 2, false: 10}[still] {
			t.Errorf("version %d: an edit by hand counts", u.Version)
		}
	}
}

// Every effect works for what hangs under a user as it does for the user, and user= finds it.
func TestFaultsOfParts(t *testing.T) {
	for _, effect := range []struct {
		words  string
		status int
		done   bool
		bumped bool
		err    error
	}{
		{"conflict409", 409, false, true, nil}, {"conflict400", 400, false, true, nil}, {"spurious", 409, false, false, nil},
		{"500", 500, false, false, nil}, {"lost", 0, true, true, io.EOF}, {"done=502", 502, true, true, nil}, {"truncated", 0, true, true, io.ErrUnexpectedEOF},
	} {
		for i := range 8 {
			w := staff(t, sim.Options{GrantLag: -1})
			p := w.parts()[i]
			w.fail("user=bob@example.com " + p.method + " 503") // it is about somebody else
			w.fail("user=ana@example.com x1 " + effect.words)
			before := w.Snapshot("u-1")
			r := w.call(p.method, p.path, p.body)
			if !errors.Is(r.err, effect.err) || effect.status != 0 && r.status != effect.status {
				t.Errorf("%s %s: %d %s %v", p.name, effect.words, r.status, r.body, r.err)
			}
			changed := strings.ReplaceAll(w.Snapshot("u-1"), `"Biography": "."`, `"Biography": ""`) != before
			if u := w.first(); changed != effect.done || (u.Version == 2) != effect.bumped {
				t.Errorf("%s %s: version %d, done %t", p.name, effect.words, u.Version, changed)
			}
			w.must(p.method, p.path, p.body)
		}
	}
}

// Requests about many users are about each of them; a conflict may be a group's.
func TestFaultsOfBatches(t *testing.T) {
	w := staff(t, sim.Options{})
	queue, group := queues+"/"+w.IDOf(sim.Queue, "Retention")+"/members", groups+"/"+w.IDOf(sim.Group, "Madrid")
	move := divisions + "/" + w.IDOf(sim.Division, "EMEA") + "/objects/USER"
	w.fail("user=bob@example.com 500")
	for _, c := range []struct{ method, path, with, without string }{
		{http.MethodPost, move, `["u-1","u-2"]`, `["u-1","u-3"]`},
		{http.MethodPost, queue, ids("u-1", "u-2"), ids("u-1", "u-3")},
		{http.MethodPatch, users + "/bulk", `[{"id":"u-2","acdAutoAnswer":true}]`, `[{"id":"u-1","acdAutoAnswer":true}]`},
		{http.MethodPost, group + "/members", `{"memberIds":["u-2"],"version":1}`, `{"memberIds":["u-1"],"version":1}`},
	} {
		w.refused(w.call(c.method, c.path, c.with), 500, "internal.server.error")
		w.must(c.method, c.path, c.without)
	}
	w.refused(w.call(http.MethodDelete, group+"/members?ids=u-1,u-2", ""), 500, "internal.server.error")
	w.must(http.MethodDelete, group+"/members?ids=u-1,u-3", "")

	w.ClearFaults()
	w.fail("user=u-2 x1 conflict409")
	w.refused(w.call(http.MethodPost, move, `["u-1","u-2"]`), 409, "general.conflict")
	if u := w.Users(); u[1].Version != 2 || u[1].Division == w.IDOf(sim.Division, "EMEA") {
		t.Errorf("%+v", u[1])
	}
	version := w.must(http.MethodGet, group, "").number("version")
	w.fail("POST x1 conflict400")
	r := w.call(http.MethodPost, group+"/members", fmt.Sprintf(`{"memberIds":["u-2"],"version":%d}`, version))
	if w.refused(r, 400, "bad.request"); w.must(http.MethodGet, group, "").number("version") != version+1 {
		t.Errorf("somebody changed the group, and its version is the same")
	}
}

// A listing that lags shows skills as they were, too.
func TestReadLagOfParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := staff(t, sim.Options{ReadLag: 5 * time.Second})
		time.Sleep(time.Minute)
		w.must(http.MethodPut, users+"/u-1/routingskills/bulk", w.rated(sim.Skill, "Billing", 4))
		time.Sleep(5*time.Second - 1)
		listed := func() string { return w.must(http.MethodGet, users+"?expand=skills&pageSize=1", "").body }
		if s := listed(); !strings.Contains(s, `"skills":[]`) || !strings.Contains(s, `"version":1`) {
			t.Errorf("%s", s)
		}
		if got := w.has(users + "/u-1/routingskills"); got != "Billing 4 active" {
			t.Errorf("%s", got)
		}
		time.Sleep(time.Nanosecond)
		if s := listed(); !strings.Contains(s, `"name":"Billing","proficiency":4,`) || !strings.Contains(s, `"version":2`) {
			t.Errorf("%s", s)
		}
	})
}

// The log has the last 1,000 requests, in the order in which they were answered.
func TestLog(t *testing.T) {
	w := staff(t, sim.Options{Quota: sim.Quota{Limit: 1 << 20}})
	for range 2500 {
		w.must(http.MethodGet, organization, "")
	}
	w.must(http.MethodGet, users+"/u-1?expand=skills", "")
	w.call(http.MethodPut, users+"/u-2/routingskills/bulk", `null`)
	log := w.Ledger().Log
	want := []string{"GET " + organization, "GET " + users + "/u-1", "PUT " + users + "/u-2/routingskills/bulk"}
	if len(log) != 1000 || !slices.Equal(log[997:], want) {
		t.Errorf("%d lines, %v", len(log), log[max(len(log)-3, 0):])
	}
	w.ResetLedger()
	if log := w.Ledger().Log; len(log) != 0 {
		t.Errorf("%v", log)
	}
}

// A restored user that forgets has lost everything.
func TestRestoreForgetsParts(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 3, Full: true, RestoreForgets: true})
	u := w.first()
	w.must(http.MethodDelete, users+"/"+u.ID, "")
	w.must(http.MethodPatch, users+"/"+u.ID, fmt.Sprintf(`{"version":%d,"state":"active"}`, u.Version+1))
	u = w.first()
	if len(u.Skills)+len(u.Languages)+len(u.Grants)+len(u.Locations)+len(u.ProfileSkills) > 0 || u.Utilization != nil || strings.Contains(w.Snapshot(u.ID), "9e000000") {
		t.Errorf("%s", w.Snapshot(u.ID))
	}
}
