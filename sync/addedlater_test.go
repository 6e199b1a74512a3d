package sync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"usersyncd/sync/genesys/sim"
)

// wholes are the objects that a request replaces as a whole: values of a spec, all of which keep each of the parts.
var wholes = map[string][]string{
	"employer":    {`{officialName: A}`, `{employeeId: "7", employeeType: Full-time}`, "{}"},
	"locations":   {"[{name: Berlin}]", "[{name: Berlin, notes: 2nd}]", "[{name: Madrid HQ, notes: 1st}, {name: Berlin, notes: 3rd}]"},
	"phones":      {`[{type: work, number: "+34600000001"}]`, `[{type: work, number: "+34600000002", extension: "4021"}, {type: home, number: "+34600000003"}]`},
	"emails":      {"[{type: home, address: a@home.example}]", "[{type: home, address: b@home.example}, {type: work, address: c@work.example}]"},
	"utilization": {"{}", "{call: {capacity: 3}}", "{email: {capacity: 2, interruptedBy: [call]}}", "{call: {capacity: 1, includeNonAcd: true}, labels: {VIP: {capacity: 4}}}"},
	"voicemail":   {"{alertTimeoutSeconds: 44}", "{alertTimeoutSeconds: 31, sendEmailNotifications: false}"},
	"externalIds": {`{hr: "7"}`, `{hr: "8", crm: "9"}`, "{}"},
	"title":       {"A", "B", `""`},
}

// later names each part that the API got after the program was written, of the objects that a user has.
func later(u sim.User) string {
	var parts []string
	add := func(name, part string) { parts = append(parts, name+"="+part) }
	add("employer", u.Employer.AddedLater)
	add("scim", u.ExternalIDs["x-pc:scimv2:v1"])
	add("voicemail", fmt.Sprint(u.Voicemail.Enabled))
	for _, p := range u.Locations {
		if p.AddedLater != "" {
			add("location", fmt.Sprint(p.AddedLater, p.Coordinates))
		}
	}
	for _, c := range u.Contacts {
		if c.AddedLater != "" {
			add(strings.ToLower(c.MediaType+" "+c.Type), c.AddedLater)
		}
	}
	if own := u.Utilization; own != nil {
		for name, m := range own.Media {
			if m.AddedLater != "" {
				add(name, m.AddedLater)
			}
		}
		for _, l := range own.Labels {
			add("label", l.AddedLater)
		}
		if own.MaxInboundCalls != nil {
			add("inbound calls", fmt.Sprint(*own.MaxInboundCalls))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// Whatever is declared, and in whichever order: the parts that no spec can name are there after every write, also if another
// process makes it, the listing leaves fields out, or somebody edits the user at the same time.
func TestUnknownPartsSurviveEveryWrite(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var steps []map[string]string
		for range rapid.IntRange(1, 4).Draw(r, "passes") {
			step := map[string]string{}
			for _, field := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"employer", "locations", "phones", "emails", "utilization", "voicemail", "externalIds", "title"}), 1, 4, rapid.ID).Draw(r, "fields") {
				step[field] = rapid.SampledFrom(wholes[field]).Draw(r, field)
			}
			steps = append(steps, step)
		}
		restart := rapid.Bool().Draw(r, "restart")
		o := sim.Options{Users: 1, Seed: 1, DropExpands: rapid.SampledFrom([]int{0, 1}).Draw(r, "drop expands"), NoVersionBump: rapid.Bool().Draw(r, "no bump")}
		fault := rapid.SampledFrom([]string{"", "PATCH 30% conflict409", "PATCH 30% lost", "PUT 30% lost"}).Draw(r, "fault")
		var failure string
		synctest.Test(t, func(t *testing.T) { failure = keepsParts(t, o, steps, restart, fault) })
		if failure != "" {
			r.Fatal(failure)
		}
	})
}

func keepsParts(t *testing.T, o sim.Options, steps []map[string]string, restart bool, fault string) string {
	w := newWorld(t, o)
	w.Policy.DetailInterval = time.Minute
	email := w.sim.Users()[0].Email
	vip, berlin := w.sim.IDOf(sim.Label, "VIP"), w.sim.IDOf(sim.Location, "Berlin")
	w.sim.Edit(email, func(u *sim.User) {
		u.Employer = sim.Employer{DateHire: "2020-01-02", AddedLater: "e"}
		u.ExternalIDs = map[string]string{"x-pc:scimv2:v1": "okta-1"}
		u.Voicemail = sim.Voicemail{Enabled: false, AlertTimeoutSeconds: 20}
		u.Locations = []sim.Place{{ID: berlin, Coordinates: map[string]float64{"x": 1}, AddedLater: "l"}}
		u.Contacts = []sim.Contact{{MediaType: "PHONE", Type: "WORK", Address: "+34600000009", AddedLater: "p"}, {MediaType: "EMAIL", Type: "HOME", Address: "z@home.example", AddedLater: "m"},
			{MediaType: "PHONE", Type: "MAIN", Address: "+34600000008", AddedLater: "n"}}
		u.Utilization = &sim.Utilization{MaxInboundCalls: new(2),
			Media: map[string]sim.Capacity{"call": {MaximumCapacity: 1, InterruptableMediaTypes: []string{}, IncludeNonACD: true, AddedLater: "c"},
				"workitem": {MaximumCapacity: 5, InterruptableMediaTypes: []string{}, AddedLater: "w"}},
			Labels: map[string]sim.LabelCapacity{vip: {MaximumCapacity: 2, AddedLater: "v"}}}
	})
	want := later(w.user(email))
	if fault != "" {
		w.fault(fault)
	}
	for i, step := range steps {
		text := "email: " + email + "\n"
		for field, value := range step {
			text += field + ": " + value + "\n"
		}
		w.write("u.yaml", "%s", text)
		time.Sleep(time.Hour)
		if _, err := w.once(); err != nil {
			return err.Error()
		}
		if got := later(w.user(email)); got != want {
			return fmt.Sprintf("after pass %d:\nhave %s\nwant %s\n%s", i+1, got, want, text)
		}
		if restart {
			w.close()
			w.open()
			w.Policy.DetailInterval = time.Minute
		}
	}
	w.sim.ClearFaults()
	time.Sleep(24 * time.Hour) // quarantine is over
	if res, err := w.once(); err != nil || res.Failed > 0 || later(w.user(email)) != want {
		return fmt.Sprintf("at last: %v\n%s\n%s", err, show(res), later(w.user(email)))
	}
	return ""
}
