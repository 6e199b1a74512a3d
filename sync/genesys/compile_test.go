package genesys_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

var (
	ana      = spec.Text("ana@example.com")
	active   = spec.Text("active")
	inactive = spec.Text("inactive")
	phones   = spec.PhoneList([]spec.Phone{{Media: "phone", Type: "work", Number: "+34600000001", Extension: "4021"}})
	emails   = spec.EmailList([]spec.EmailAddress{{Type: "home", Address: "ana@home.example"}})
	employer = spec.EmployerOf(spec.EmployerInfo{OfficialName: "Ana Pérez", EmployeeID: "007123"})
)

// differing returns a change that touches all of the desired fields.
func differing(action plan.Action, current *state.User, desired spec.Fields) *plan.Change {
	c := &plan.Change{Key: "ana@example.com", Action: action, Current: current, Desired: desired}
	for _, info := range spec.AllFields() {
		if v, ok := desired.Lookup(info.Field); ok {
			c.Fields = append(c.Fields, plan.FieldChange{Field: info.Field, After: v})
		}
	}
	return c
}

// The calls of a change, in order, and their bodies. A POST answers with version 1, a PATCH with one more.
func TestCompileAndDo(t *testing.T) {
	there := known(spec.FieldsOf(map[spec.Field]spec.Value{spec.Employer: spec.EmployerOf(spec.EmployerInfo{OfficialName: "A", EmployeeType: "Full-time"})}))
	for name, tt := range map[string]struct {
		change *plan.Change
		want   []string // method and body
		fields []string // what each call settles
	}{
		"create, the least": {
			differing(plan.Create, nil, spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: ana, spec.Name: spec.Text("Ana")})),
			[]string{`POST {"email":"ana@example.com","name":"Ana","state":"active"}`},
			[]string{"email name"},
		},
		"create with what POST takes, and nothing of the rest": {
			differing(plan.Create, nil, spec.FieldsOf(map[spec.Field]spec.Value{
				spec.Email: ana, spec.Name: spec.Text("Ana"), spec.State: inactive, spec.Title: spec.Text("Lead"), spec.Department: spec.Text(""),
				spec.Phones: phones, spec.Emails: emails, spec.Manager: spec.Text(""), spec.PreferredName: spec.Text(""),
				spec.ACDAutoAnswer: spec.Bool(false), spec.Certs: spec.Strings(nil), spec.Employer: spec.EmployerOf(spec.EmployerInfo{}),
			})),
			[]string{`POST {"addresses":[{"address":"+34600000001","extension":"4021","mediaType":"PHONE","type":"WORK"},` +
				`{"address":"ana@home.example","mediaType":"EMAIL","type":"HOME"}],"email":"ana@example.com","name":"Ana","state":"inactive","title":"Lead"}`},
			[]string{"email name state title department manager preferredName acdAutoAnswer certifications employer phones emails"},
		},
		"create with everything": {
			differing(plan.Create, nil, spec.FieldsOf(map[spec.Field]spec.Value{
				spec.Email: ana, spec.Name: spec.Text("Ana"), spec.Manager: spec.Text("luis@example.com"), spec.PreferredName: spec.Text("Ani"),
				spec.ACDAutoAnswer: spec.Bool(true), spec.Certs: spec.Strings([]string{"PCI", "A"}), spec.Employer: employer,
			})),
			[]string{
				`POST {"email":"ana@example.com","name":"Ana","state":"active"}`,
				`PATCH {"acdAutoAnswer":true,"certifications":["A","PCI"],"employerInfo":{"employeeId":"007123","officialName":"Ana Pérez"},` +
					`"manager":"m1","preferredName":"Ani","version":1}`,
			},
			[]string{"email name", "manager preferredName acdAutoAnswer certifications employer"},
		},
		"state alone and first": {
			differing(plan.Update, there, spec.FieldsOf(map[spec.Field]spec.Value{spec.State: inactive, spec.Title: spec.Text("Lead")})),
			[]string{`PATCH {"state":"inactive","version":7}`, `PATCH {"title":"Lead","version":8}`},
			[]string{"state", "title"},
		},
		"restore": {
			differing(plan.Restore, there, spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text("Lead")})),
			[]string{`PATCH {"state":"active","version":7}`, `PATCH {"title":"Lead","version":8}`},
			[]string{"state", "title"},
		},
		"restore as inactive": {
			differing(plan.Restore, there, spec.FieldsOf(map[spec.Field]spec.Value{spec.State: inactive})),
			[]string{`PATCH {"state":"inactive","version":7}`},
			[]string{"state"},
		},
		"clear": {
			differing(plan.Adopt, there, spec.FieldsOf(map[spec.Field]spec.Value{
				spec.Title: spec.Text(""), spec.Department: spec.Text(""), spec.PreferredName: spec.Text(""), spec.Manager: spec.Text(""),
				spec.Certs: spec.Strings(nil), spec.Phones: spec.PhoneList(nil), spec.Employer: spec.EmployerOf(spec.EmployerInfo{}),
			})),
			[]string{`PATCH {"addresses":[],"certifications":[],"department":"","employerInfo":{},"manager":"","preferredName":"","title":"","version":7}`},
			[]string{"title department manager preferredName certifications employer phones"},
		},
		"unmanage": {&plan.Change{Action: plan.Unmanage, Current: there}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got, fields []string
			version := 7
			f := &fake{api: func(r *http.Request, body string) reply {
				if version++; r.Method == http.MethodPost {
					version = 1
				}
				got = append(got, r.Method+" "+body)
				text, _ := json.Marshal(object{"id": "u1", "version": version, "email": "ana@example.com"})
				return jsonReply(200, string(text))
			}}
			d, b := open(t, f, nil)
			luis := &state.User{Observed: state.Observed{ID: "m1", Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text("luis@example.com")})}}
			if _, err := d.Open(t.Context(), map[string]*state.User{"m1": luis}); err != nil {
				t.Fatal(err)
			}
			got, version = nil, 7
			for i, call := range d.Compile([]*plan.Change{tt.change}) {
				now, err := d.Do(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				tt.change.Current = &state.User{Observed: now[0]}
				if call.Creates != strings.HasPrefix(tt.want[i], "POST") {
					t.Errorf("call %d: Creates is %t", i, call.Creates)
				}
				var names []string
				for _, f := range call.Fields {
					names = append(names, string(f))
				}
				fields = append(fields, strings.Join(names, " "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.fields, fields); diff != "" {
				t.Errorf("settles (-want +got):\n%s", diff)
			}
			if last := b.expected[len(b.expected)-1]; last != 0 {
				t.Errorf("%d requests still expected", last)
			}
		})
	}
}

func TestDoRefusesWhatItCannotSend(t *testing.T) {
	create := differing(plan.Create, nil, spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: ana}))
	unknown := differing(plan.Update, known(nil), spec.FieldsOf(map[spec.Field]spec.Value{spec.Skills: spec.Proficiencies(map[string]float64{"Billing": 3})}))
	homeless := differing(plan.Update, nil, spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text("x")}))
	broken := differing(plan.Update, known(nil), spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: "not json"}))
	nobody := differing(plan.Update, known(nil), spec.FieldsOf(map[spec.Field]spec.Value{spec.Manager: spec.Text("nobody@example.com")}))
	for want, c := range map[string]*plan.Change{
		"without email and name": create, "no skill is called": unknown, "not known to exist": homeless,
		"title: decoding": broken, `no user has the address "nobody@example.com"`: nobody,
	} {
		f := &fake{api: func(*http.Request, string) reply { return jsonReply(200, `{"entities":[],"results":[]}`) }}
		d, _ := open(t, f, nil)
		_, err := do(t, d, c)
		if !errors.Is(err, apply.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		if f.count("PATCH ")+f.count("POST /api/v2/users ") > 0 {
			t.Errorf("sent %v", f.requests())
		}
	}
	d, _ := open(t, &fake{api: userReply}, nil)
	if _, err := d.Do(t.Context(), &apply.Call{Name: "PUT /users/{id}"}); err == nil {
		t.Error("a foreign call was made")
	}
}

// The limiter hears how many calls are to come, of which a change compiled again counts once.
func TestExpectedCalls(t *testing.T) {
	fail := true
	f := &fake{api: func(r *http.Request, body string) reply {
		if fail {
			return jsonReply(409, `{}`)
		}
		return userReply(r, body)
	}}
	d, b := open(t, f, nil)
	last := func() int { return b.expected[len(b.expected)-1] }
	two := differing(plan.Update, known(nil), spec.FieldsOf(map[spec.Field]spec.Value{spec.State: inactive, spec.Title: spec.Text("x")}))
	calls := d.Compile([]*plan.Change{two, retitle()})
	if last() != 3 {
		t.Errorf("%d expected of 3", last())
	}
	if _, err := d.Do(t.Context(), calls[0]); err == nil || last() != 1 {
		t.Errorf("after a failure %d expected, %v", last(), err)
	}
	calls = append(d.Compile([]*plan.Change{two}), calls[2])
	fail = false
	for left := 2; left >= 0; left-- {
		if _, err := d.Do(t.Context(), calls[2-left]); err != nil || last() != left {
			t.Errorf("%d expected, want %d, %v", last(), left, err)
		}
	}
	d.Compile([]*plan.Change{two})
	if _, err := d.Open(t.Context(), nil); err != nil || last() != 2 {
		t.Errorf("a new pass expects %d, want the first pages of a listing alone, %v", last(), err)
	}
	if d.Compile(nil); last() != 0 {
		t.Errorf("nothing to do, and %d expected", last())
	}
}
