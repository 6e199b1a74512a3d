package sync_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A fieldSample has values of one field. First and second differ in every part of the value.
type fieldSample struct {
	member        string // where sim.Snapshot has it
	first, second sampleValue
	empty         sampleValue // zero: the field cannot be emptied
	restored      string      // the requests that bring the user back with the first value, from the last one of these
}

// A sampleValue is a line of a spec, what is then stored, and the requests that take it there: from no user, the first
// value, the second. Ids in what is stored are replaced by the names of what they are of.
type sampleValue struct{ yaml, stored, sent string }

const (
	update   = "PATCH /users/{id}"
	hire     = "POST /users"
	skillset = "PUT /users/{id}/routingskills/bulk"
	listed   = "PUT /users/{id}/profileskills"
	regrant  = "POST /authorization/subjects/{id}/bulkreplace"
	policy   = "PATCH /voicemail/userpolicies/{id}"
)

// fieldSamples has a row for each field of the format.
var fieldSamples = map[spec.Field]fieldSample{
	spec.Email: {"Email", sampleValue{"", `"lawful@example.com"`, hire},
		sampleValue{"email: other@example.com\npreviousEmail: lawful@example.com", `"other@example.com"`, update}, sampleValue{}, "2 " + update},
	spec.Name: {"Name", sampleValue{"name: Ana Lawful", `"Ana Lawful"`, hire},
		sampleValue{`name: 'Zoë "Z" O\Hara & co.'`, `"Zoë \"Z\" O\\Hara & co."`, update}, sampleValue{}, "2 " + update},
	spec.State: {"State", sampleValue{"state: inactive", `"inactive"`, hire}, sampleValue{"state: active", `"active"`, update}, sampleValue{}, update},
	spec.Title: {"title", sampleValue{"title: Agent", `"Agent"`, hire}, sampleValue{"title: Lead", `"Lead"`, update},
		sampleValue{`title: ""`, `null`, update}, "2 " + update},
	spec.Department: {"department", sampleValue{"department: Support", `"Support"`, hire}, sampleValue{"department: Sales", `"Sales"`, update},
		sampleValue{`department: ""`, `null`, update}, "2 " + update},
	spec.PreferredName: {"preferredName", sampleValue{"preferredName: Ana", `"Ana"`, update + ", " + hire}, sampleValue{"preferredName: Ani", `"Ani"`, update},
		sampleValue{`preferredName: ""`, `null`, update}, "2 " + update},
	spec.Manager: {"Manager", sampleValue{"manager: MANAGER1", `"MANAGER1"`, update + ", " + hire}, sampleValue{"manager: MANAGER2", `"MANAGER2"`, update},
		sampleValue{`manager: ""`, `""`, update}, "2 " + update},
	spec.Division: {"Division", sampleValue{"division: EMEA", `"EMEA"`, hire},
		sampleValue{"division: Home", `"Home"`, "POST /authorization/divisions/{division}/objects/USER"}, sampleValue{},
		update + ", POST /authorization/divisions/{division}/objects/USER"},
	spec.ACDAutoAnswer: {"ACDAutoAnswer", sampleValue{"acdAutoAnswer: true", `true`, update + ", " + hire},
		sampleValue{"acdAutoAnswer: false", `false`, update}, sampleValue{}, "2 " + update},
	spec.Certs: {"Certifications", sampleValue{"certifications: [PCI, First aid]", `["First aid","PCI"]`, update + ", " + hire},
		sampleValue{"certifications: [ITIL]", `["ITIL"]`, update}, sampleValue{"certifications: []", "null", update}, "2 " + update},
	spec.ProfileSkills: {"ProfileSkills", sampleValue{"profileSkills: [Chess, SQL]", `["Chess","SQL"]`, hire + ", " + listed},
		sampleValue{"profileSkills: [Excel]", `["Excel"]`, listed}, sampleValue{"profileSkills: []", "null", listed}, update + ", " + listed},
	spec.Employer: {"Employer",
		sampleValue{`employer: {officialName: Ana P, employeeId: "007", employeeType: Full-time, dateHire: 2024-03-01}`,
			`{"dateHire":"2024-03-01","employeeId":"007","employeeType":"Full-time","officialName":"Ana P"}`, update + ", " + hire},
		sampleValue{`employer: {officialName: Ana Q, employeeId: "008"}`,
			`{"employeeId":"008","officialName":"Ana Q"}`, update},
		sampleValue{"employer: {}", "{}", update}, "2 " + update},
	spec.Phones: {"Contacts",
		sampleValue{`phones: [{type: work, number: "+34600000001"}, {type: mobile, media: sms, number: "+34600000002"}, {type: work2, extension: "4021"}]`,
			`[PHONE WORK +34600000001, PHONE WORK2 x4021, SMS MOBILE +34600000002]`, hire},
		sampleValue{`phones: [{type: work, number: "+34600000003", extension: "4022"}, {type: home, number: "+34600000004"}]`,
			`[PHONE HOME +34600000004, PHONE WORK +34600000003 x4022]`, update},
		sampleValue{"phones: []", "[]", update}, "2 " + update},
	spec.Emails: {"Contacts",
		sampleValue{`emails: [{type: home, address: ana@home.example}, {type: work, address: ana@work.example}]`,
			`[EMAIL HOME ana@home.example, EMAIL WORK ana@work.example]`, hire},
		sampleValue{`emails: [{type: home, address: other@home.example}]`, `[EMAIL HOME other@home.example]`, update},
		sampleValue{"emails: []", "[]", update}, "2 " + update},
	spec.Locations: {"Locations", sampleValue{"locations: [{name: Madrid HQ, notes: 3rd floor}]", `[{"ID":"Madrid HQ","Notes":"3rd floor"}]`, update + ", " + hire},
		sampleValue{"locations: [{name: Berlin}, {name: Madrid HQ, notes: 2nd floor}]", `[{"ID":"Berlin","Notes":""},{"ID":"Madrid HQ","Notes":"2nd floor"}]`, update},
		sampleValue{"locations: []", "null", update}, "2 " + update},
	spec.Skills: {"Skills", sampleValue{"skills: {Billing: 4, Refunds: 2.5}", `{"Billing":4,"Refunds":2.5}`, hire + ", " + skillset},
		sampleValue{"skills: {Billing: 1.5, Sales: 5}", `{"Billing":1.5,"Sales":5}`, skillset}, sampleValue{"skills: {}", "null", skillset}, update + ", " + skillset},
	spec.Languages: {"Languages", sampleValue{"languages: {Spanish: 5}", `{"Spanish":5}`, "PATCH /users/{id}/routinglanguages/bulk, " + hire},
		sampleValue{"languages: {Spanish: 4, English: 3}", `{"English":3,"Spanish":4}`, "PATCH /users/{id}/routinglanguages/bulk"},
		sampleValue{"languages: {}", "null", "2 DELETE /users/{id}/routinglanguages/{language}"}, update + ", PATCH /users/{id}/routinglanguages/bulk"},
	spec.Roles: {"Grants", sampleValue{"roles: [Agent, {role: Supervisor, divisions: [EMEA]}]", `[{"Division":"Home","Role":"Agent"},{"Division":"EMEA","Role":"Supervisor"}]`, regrant + ", " + hire},
		sampleValue{"roles: [Supervisor, {role: Agent, divisions: ['*']}]", `[{"Division":"*","Role":"Agent"},{"Division":"Home","Role":"Supervisor"}]`, regrant},
		sampleValue{"roles: []", "null", regrant}, update + ", " + regrant},
	spec.Queues: {"Queues", sampleValue{"queues: [Billing ES]", `{"Billing ES":true}`, "POST /routing/queues/{queue}/members, " + hire},
		sampleValue{"queues: [Sales EN]", `{"Sales EN":true}`, "2 POST /routing/queues/{queue}/members"},
		sampleValue{"queues: []", "{}", "POST /routing/queues/{queue}/members"}, update + ", POST /routing/queues/{queue}/members"},
	spec.Groups: {"Groups", sampleValue{"groups: [Madrid]", `["Madrid"]`, "POST /groups/{group}/members, " + hire},
		sampleValue{"groups: [Berlin]", `["Berlin"]`, "DELETE /groups/{group}/members, POST /groups/{group}/members"},
		sampleValue{"groups: []", "null", "DELETE /groups/{group}/members"}, update + ", POST /groups/{group}/members"},
	spec.Utilization: {"Utilization",
		sampleValue{"utilization: {call: {capacity: 2, includeNonAcd: true}, message: {capacity: 9, interruptedBy: [call, email]}, labels: {VIP: {capacity: 2, interruptedBy: [VIP]}}}",
			`{"labels":{"VIP":{"interruptingLabelIds":["VIP"],"maximumCapacity":2}},"media":{"call":{"includeNonAcd":true,"interruptableMediaTypes":[],"maximumCapacity":2},"message":{"includeNonAcd":false,"interruptableMediaTypes":["call","email"],"maximumCapacity":9}}}`,
			hire + ", PUT /routing/users/{id}/utilization"},
		sampleValue{"utilization: {call: {capacity: 1, includeNonAcd: false}, chat: {capacity: 3, interruptedBy: [call]}, labels: {VIP: {capacity: 5}}}",
			`{"labels":{"VIP":{"interruptingLabelIds":[],"maximumCapacity":5}},"media":{"call":{"includeNonAcd":false,"interruptableMediaTypes":[],"maximumCapacity":1},"chat":{"includeNonAcd":false,"interruptableMediaTypes":["call"],"maximumCapacity":3}}}`, "PUT /routing/users/{id}/utilization"},
		sampleValue{"utilization: {labels: {}}", "null", "DELETE /routing/users/{id}/utilization"}, update + ", PUT /routing/users/{id}/utilization"},
	spec.Voicemail: {"Voicemail",
		sampleValue{"voicemail: {alertTimeoutSeconds: 44, sendEmailNotifications: false}", `{"AlertTimeoutSeconds":44,"Enabled":true,"SendEmailNotifications":false}`, policy + ", " + hire},
		sampleValue{"voicemail: {alertTimeoutSeconds: 31, sendEmailNotifications: true}", `{"AlertTimeoutSeconds":31,"Enabled":true,"SendEmailNotifications":true}`, policy},
		sampleValue{}, update + ", " + policy},
	spec.ExternalIDs: {"ExternalIDs", sampleValue{`externalIds: {workday: W-1, sap: "007"}`, `{"sap":"007","workday":"W-1"}`, "2 POST /users/{id}/externalid, " + hire},
		sampleValue{"externalIds: {workday: W-2, hr: H-1}", `{"hr":"H-1","workday":"W-2"}`,
			"2 DELETE /users/{id}/externalid/{authority}/{key}, 2 POST /users/{id}/externalid"},
		sampleValue{"externalIds: {}", "null", "2 DELETE /users/{id}/externalid/{authority}/{key}"}, "2 POST /users/{id}/externalid, " + update},
}

const sampleEmail = "lawful@example.com"

// Whatever field a user has: the user is created with it, it is changed and emptied, it comes back with a restored user,
// and it is exported. After each step the organization has what was declared, by the fewest requests, and a further pass
// that reads everything again finds nothing to do. It takes no permission but those that doctor asks for.
func TestEveryFieldIsWrittenAndRead(t *testing.T) {
	t.Parallel() // it is one of the longest
	for _, info := range spec.AllFields() {
		t.Run(string(info.Field), func(t *testing.T) {
			s, ok := fieldSamples[info.Field]
			if !ok {
				t.Fatalf("%s has no row in fieldSamples", info.Field)
			}
			if (s.empty.yaml != "") != (info.Empty() != "") {
				t.Errorf("%s is emptied by %q, and its row in fieldSamples has %q", info.Field, info.Empty(), s.empty.yaml)
			}
			synctest.Test(t, func(t *testing.T) { s.run(t, info.Field) })
		})
	}
}

func (s fieldSample) run(t *testing.T, f spec.Field) {
	w := newWorld(t, sim.Options{Users: 3, Seed: 1, Forbid: unneeded(f)})
	w.Policy.OnRemoval, w.Policy.DetailInterval = plan.Delete, time.Minute
	others := w.sim.Users()
	w.write("other.yaml", "email: %s\n", others[0].Email) // a checkout of nobody is refused
	step := func(name string, v sampleValue) {
		t.Helper()
		lines := strings.NewReplacer("MANAGER1", others[1].Email, "MANAGER2", others[2].Email).Replace(v.yaml)
		w.write("u.yaml", "%s", specWith(lines))
		if got := w.sentByPass(); got != v.sent {
			t.Errorf("%s: sent %q, want %q", name, got, v.sent)
		}
		stored := strings.NewReplacer(others[1].Email, "MANAGER1", others[2].Email, "MANAGER2").Replace(w.stored(s.member))
		if stored != v.stored {
			t.Errorf("%s: stored\n%s, want\n%s", name, stored, v.stored)
		}
		if got := w.sentByPass(); got != "" {
			t.Errorf("%s: a further pass sent %q", name, got)
		}
	}
	step("create", s.first)
	if state := w.user(sampleEmail).State; state != "active" && f != spec.State {
		t.Errorf("a new user is %s", state) // the API's default is inactive
	}
	step("change", s.second)
	if s.empty.yaml != "" {
		step("empty", s.empty)
	}
	w.remove("u.yaml")
	if got := w.sentByPass(); got != "DELETE /users/{id}" {
		t.Errorf("delete: sent %q", got)
	}
	again := s.first
	if again.sent = s.restored; f == spec.Email {
		again.yaml = "previousEmail: other@example.com"
	}
	step("restore", again)

	declared := w.sampleUser()
	w.remove("u.yaml")
	w.forget()
	i := slices.IndexFunc(w.export(f).Users, func(u *spec.User) bool { return u.Key == declared.Key })
	if exported := w.sampleUser(); i < 0 || exported.Fields.Get(f) != declared.Fields.Get(f) {
		t.Errorf("exported %v, declared %v", exported, declared.Fields)
	}
	if got := w.sentByPass(); got != "" {
		t.Errorf("export: a further pass sent %q", got)
	}
	if unreal := w.sim.Ledger().Unreal; len(unreal) > 0 {
		t.Errorf("asked for what the API does not have: %v", unreal)
	}
}

// unneeded are the permissions that a field does not take, of those that the organization asks for.
func unneeded(f spec.Field) string {
	var needed []string
	for _, n := range (genesys.Usage{Fields: []spec.Field{spec.Email, f}, Create: true, Delete: true}).Needs() {
		needed = append(needed, strings.Split(n.Permission, " or ")...)
	}
	return strings.Join(slices.DeleteFunc(sim.Permissions(), func(p string) bool { return slices.Contains(needed, p) }), " ")
}

// specWith is a spec of the sample user with some more lines, which may be the address and the name themselves.
func specWith(lines string) string {
	for _, line := range []string{"name: Ana Lawful", "email: " + sampleEmail} {
		if key, _, _ := strings.Cut(line, " "); !strings.Contains("\n"+lines, "\n"+key) {
			lines = line + "\n" + lines
		}
	}
	return lines + "\n"
}

// sentByPass makes a pass that reads everything again, a while after the last one. It returns the requests that wrote,
// ordered by name; if the pass changed something without one, it says so.
func (w *world) sentByPass() string {
	w.Helper()
	time.Sleep(2 * time.Minute) // the search and the listings catch up
	w.sim.ResetLedger()
	res := w.pass()
	if res.Failed+res.Held+res.Skipped+res.Quarantined > 0 {
		w.Errorf("%d failed, %d held, %d skipped:\n%s%+v", res.Failed, res.Held, res.Skipped, show(res), res.Failures)
	}
	var sent []string
	for name, n := range w.writes() {
		if n > 1 {
			name = fmt.Sprintf("%d %s", n, name)
		}
		sent = append(sent, name)
	}
	slices.Sort(sent)
	return strings.Join(sent, ", ")
}

// stored is what the organization keeps of the sample user, with names for ids.
func (w *world) stored(member string) string {
	w.Helper()
	text := cmp.Or(w.sim.Snapshot(sampleEmail), w.sim.Snapshot("other@example.com"))
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		w.Fatalf("the user is not there: %v", err)
	}
	if member == "Contacts" {
		contacts := []string{}
		for _, c := range w.user(sampleEmail).Contacts {
			extension := ""
			if c.Extension != "" {
				extension = "x" + c.Extension
			}
			contacts = append(contacts, strings.Join(strings.Fields(c.MediaType+" "+c.Type+" "+c.Address+" "+extension), " "))
		}
		return "[" + strings.Join(contacts, ", ") + "]"
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(members[member]); err != nil {
		w.Fatal(err)
	}
	names := []string{}
	for _, kind := range []sim.Kind{sim.Skill, sim.Language, sim.Division, sim.Role, sim.Queue, sim.Location, sim.Group, sim.Label} {
		for name := range strings.SplitSeq("Billing,Refunds,Sales,English,Spanish,Home,EMEA,Agent,Supervisor,Billing ES,Sales EN,Madrid HQ,Berlin,Madrid,VIP", ",") {
			if id := w.sim.IDOf(kind, name); id != "" {
				names = append(names, id, name)
			}
		}
	}
	for _, u := range w.sim.Users() {
		names = append(names, u.ID, u.Email)
	}
	return strings.NewReplacer(names...).Replace(strings.TrimSpace(out.String()))
}

// sampleUser is the sample user as the checkout declares it.
func (w *world) sampleUser() *spec.User {
	w.Helper()
	return w.specOf(sampleEmail)
}

// specOf is a user as the checkout declares it.
func (w *world) specOf(email string) *spec.User {
	w.Helper()
	scan, err := w.Specs.Scan(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	tree, err := w.Specs.Load(context.Background(), scan)
	if err != nil {
		w.Fatal(err)
	}
	for _, u := range tree.Users {
		if u.Key == spec.Key(email) {
			return u
		}
	}
	w.Fatalf("no spec declares %s", email)
	return nil
}
