package genesys_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

type object = map[string]any

// An org of one user keeps the addresses it is sent and shows them as the API does.
type orgOfOne struct {
	version   int
	addresses []object
	show      func(object) object
}

func (o *orgOfOne) api(r *http.Request, body string) reply {
	if r.Method == http.MethodPatch {
		var patch struct {
			Version   int      `json:"version"`
			Addresses []object `json:"addresses"`
		}
		if err := json.Unmarshal([]byte(body), &patch); err != nil || patch.Version != o.version {
			return jsonReply(409, `{}`)
		}
		o.version, o.addresses = o.version+1, patch.Addresses
	}
	shown := []object{}
	for _, a := range o.addresses {
		shown = append(shown, o.show(a))
	}
	text, _ := json.Marshal(object{"id": "u1", "version": o.version, "addresses": shown})
	return jsonReply(200, string(text))
}

// shape shows a telephone entry in one of the API's ways: a number as it is or dressed up, an
// extension with or without a pool, with or without an address of the server's own making.
func shape(a object, way int) object {
	number, _ := a["address"].(string)
	extension, _ := a["extension"].(string)
	out := object{}
	for k, v := range a {
		if k != "address" && k != "extension" {
			out[k] = v
		}
	}
	switch {
	case a["mediaType"] == "EMAIL":
		out["address"] = number
	case extension == "":
		out["address"] = []string{number, "(" + number + ")", number[:3] + " " + number[3:]}[way%3]
		out["display"] = "(" + number + ")"
	case number == "" && way%3 == 0:
		out["display"] = extension
	case number == "":
		out["extension"], out["display"] = extension, extension
		if way%3 == 1 {
			out["address"] = "+15550001111"
		}
	default:
		out["extension"], out["display"] = extension, []string{number, "(" + number + ")"}[way%2]
	}
	return out
}

func drawPhones(t *rapid.T, label string) []spec.Phone {
	var list []spec.Phone
	for _, media := range []string{"phone", "sms"} {
		for _, kind := range []string{"work", "work2", "work3", "work4", "home", "mobile", "other"} {
			p := spec.Phone{Media: media, Type: kind}
			switch rapid.IntRange(0, 5).Draw(t, label+media+kind) {
			case 0:
				p.Number = "+" + rapid.StringMatching(`[1-9][0-9]{6,14}`).Draw(t, "number")
			case 1:
				p.Extension = rapid.StringMatching(`[0-9]{2,6}`).Draw(t, "extension")
			case 2:
				p.Number = "+" + rapid.StringMatching(`[1-9][0-9]{6,14}`).Draw(t, "number")
				p.Extension = rapid.StringMatching(`[0-9]{2,6}`).Draw(t, "extension")
			default:
				continue
			}
			list = append(list, p)
		}
	}
	return list
}

func drawEmails(t *rapid.T, label string) []spec.EmailAddress {
	var list []spec.EmailAddress
	for _, kind := range []string{"work", "home"} {
		if rapid.Bool().Draw(t, label+kind) {
			list = append(list, spec.EmailAddress{Type: kind, Address: rapid.StringMatching(`[A-Za-z]{1,8}@[a-z]{1,8}\.example`).Draw(t, "address")})
		}
	}
	return list
}

// What is written reads back as desired, in every shape, and so needs no second write.
func TestContactsReadBackAsWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := &orgOfOne{version: 7, show: func(a object) object { return shape(a, rapid.IntRange(0, 5).Draw(rt, "shape")) }}
		d, _ := open(t, &fake{api: o.api}, nil)
		c := &plan.Change{Action: plan.Update, Current: known(nil)}
		for _, round := range []string{"first ", "second "} {
			c.Desired = spec.FieldsOf(map[spec.Field]spec.Value{
				spec.Phones: spec.PhoneList(drawPhones(rt, round)), spec.Emails: spec.EmailList(drawEmails(rt, round)),
			})
			c.Fields = []plan.FieldChange{{Field: spec.Phones}, {Field: spec.Emails}}
			now, err := do(t, d, c)
			if err != nil {
				rt.Fatal(err)
			}
			for f, want := range c.Desired.All() {
				if have := now[0].Fields.Get(f); !spec.Equal(f, want, have) {
					rt.Fatalf("%s: wrote %s, read %s", f, want, have)
				}
			}
			c.Current = &state.User{Observed: now[0]}
		}
	})
}

// A kind that is not managed is written back so that it stays what it was, entries that no spec can
// name included.
func TestUnmanagedContactsSurvive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		way := map[string]int{}
		o := &orgOfOne{version: 7, show: func(a object) object { return shape(a, way[fmt.Sprint(a["mediaType"], a["type"])]) }}
		phones, emails := drawPhones(rt, "there "), drawEmails(rt, "there ")
		for _, p := range phones {
			a := object{"mediaType": strings.ToUpper(p.Media), "type": strings.ToUpper(p.Type), "integration": "teams", "countryCode": "ES", "later": object{"x": 1.0}}
			if p.Number != "" {
				a["address"] = p.Number
			}
			if p.Extension != "" {
				a["extension"] = p.Extension
			}
			o.addresses = append(o.addresses, a)
			way[fmt.Sprint(a["mediaType"], a["type"])] = rapid.IntRange(0, 5).Draw(rt, "shape")
		}
		for _, e := range emails {
			o.addresses = append(o.addresses, object{"mediaType": "EMAIL", "type": strings.ToUpper(e.Type), "address": e.Address, "later": true})
		}
		o.addresses = append(o.addresses,
			object{"mediaType": "PHONE", "type": "MAIN", "address": "+15550009999"},
			object{"mediaType": "EMAIL", "type": "PRIMARY", "address": "login@example.com"})
		d, _ := open(t, &fake{api: o.api}, nil)
		before, err := d.Get(t.Context(), "u1")
		if err != nil {
			rt.Fatal(err)
		}
		managed, other := spec.Phones, spec.Emails
		c := &plan.Change{Action: plan.Update, Current: &state.User{Observed: before}}
		c.Desired = spec.FieldsOf(map[spec.Field]spec.Value{spec.Phones: spec.PhoneList(drawPhones(rt, "new "))})
		if rapid.Bool().Draw(rt, "manage emails") {
			managed, other = other, managed
			c.Desired = spec.FieldsOf(map[spec.Field]spec.Value{spec.Emails: spec.EmailList(drawEmails(rt, "new "))})
		}
		c.Fields = []plan.FieldChange{{Field: managed}}
		kept := func() []object {
			var list []object
			for _, a := range o.addresses {
				if main := a["type"] == "MAIN"; main || a["type"] != "PRIMARY" && (a["mediaType"] == "EMAIL") == (other == spec.Emails) {
					b := object{}
					for k, v := range a {
						if k != "address" || a["extension"] == nil || other == spec.Emails { // beside an extension the number is the server's
							b[k] = v
						}
					}
					list = append(list, b)
				}
			}
			return list
		}
		were := kept()
		now, err := do(t, d, c)
		if err != nil {
			rt.Fatal(err)
		}
		if now[0].Fields.Get(other) != before.Fields.Get(other) {
			rt.Fatalf("%s changed from %s to %s", other, before.Fields.Get(other), now[0].Fields.Get(other))
		}
		if diff := cmp.Diff(were, kept()); diff != "" {
			rt.Fatalf("entries that are not managed (-were +are):\n%s", diff)
		}
		if !spec.Equal(managed, c.Desired.Get(managed), now[0].Fields.Get(managed)) {
			rt.Fatalf("%s: wrote %s, read %s", managed, c.Desired.Get(managed), now[0].Fields.Get(managed))
		}
	})
}

func TestContactShapes(t *testing.T) {
	for name, tt := range map[string]struct {
		shown  string
		phones []spec.Phone
		emails []spec.EmailAddress
	}{
		"number":                      {`{"mediaType":"PHONE","type":"WORK","address":"+34600000001","display":"+34 600 000 001"}`, []spec.Phone{{Media: "phone", Type: "work", Number: "+34600000001"}}, nil},
		"number in parentheses":       {`{"mediaType":"SMS","type":"MOBILE","address":"(+34600000001)"}`, []spec.Phone{{Media: "sms", Type: "mobile", Number: "+34600000001"}}, nil},
		"number in display only":      {`{"mediaType":"PHONE","type":"WORK","display":"+34600000001"}`, []spec.Phone{{Media: "phone", Type: "work", Number: "+34600000001"}}, nil},
		"extension":                   {`{"mediaType":"PHONE","type":"WORK","extension":"4021","display":"4021"}`, []spec.Phone{{Media: "phone", Type: "work", Extension: "4021"}}, nil},
		"extension, server's address": {`{"mediaType":"PHONE","type":"WORK","extension":"4021","display":"4021","address":"+15550001111"}`, []spec.Phone{{Media: "phone", Type: "work", Extension: "4021"}}, nil},
		"number and extension":        {`{"mediaType":"PHONE","type":"WORK2","extension":"4021","display":"(+34600000001)"}`, []spec.Phone{{Media: "phone", Type: "work2", Number: "+34600000001", Extension: "4021"}}, nil},
		"extension without a pool":    {`{"mediaType":"PHONE","type":"HOME","display":"4021"}`, []spec.Phone{{Media: "phone", Type: "home", Extension: "4021"}}, nil},
		"defaults":                    {`{"address":"+34600000001"}`, []spec.Phone{{Media: "phone", Type: "work", Number: "+34600000001"}}, nil},
		"nothing in it":               {`{"mediaType":"PHONE","type":"WORK"}`, nil, nil},
		"no spec's type":              {`{"mediaType":"PHONE","type":"MAIN","address":"+34600000001"}`, nil, nil},
		"email":                       {`{"mediaType":"EMAIL","type":"HOME","address":"Ana@Home.example"}`, nil, []spec.EmailAddress{{Type: "home", Address: "ana@home.example"}}},
		"login":                       {`{"mediaType":"EMAIL","type":"PRIMARY","address":"ana@example.com"}`, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := open(t, &fake{api: func(*http.Request, string) reply {
				return jsonReply(200, `{"id":"u1","version":1,"addresses":[`+tt.shown+`]}`)
			}}, nil)
			u, err := d.Get(t.Context(), "u1")
			if err != nil {
				t.Fatal(err)
			}
			if got, want := u.Fields.Get(spec.Phones), spec.PhoneList(tt.phones); got != want {
				t.Errorf("phones %s, want %s", got, want)
			}
			if got, want := u.Fields.Get(spec.Emails), spec.EmailList(tt.emails); got != want {
				t.Errorf("emails %s, want %s", got, want)
			}
		})
	}
}

// Contacts that are not known are read before the list is replaced.
func TestUnknownContactsAreReadFirst(t *testing.T) {
	o := &orgOfOne{version: 9, show: func(a object) object { return a }, addresses: []object{{"mediaType": "PHONE", "type": "WORK", "address": "+34600000001"}}}
	f := &fake{api: o.api}
	d, _ := open(t, f, nil)
	for _, opaque := range []string{"", "null and void", "{}"} {
		c := &plan.Change{
			Action: plan.Update, Desired: spec.FieldsOf(map[spec.Field]spec.Value{spec.Emails: spec.EmailList([]spec.EmailAddress{{Type: "home", Address: "a@b.example"}})}),
			Fields:  []plan.FieldChange{{Field: spec.Emails}},
			Current: &state.User{Observed: state.Observed{ID: "u1", Version: 3, Opaque: json.RawMessage(opaque)}},
		}
		now, err := do(t, d, c)
		if err != nil || now[0].Fields.Get(spec.Phones) != spec.PhoneList([]spec.Phone{{Media: "phone", Type: "work", Number: "+34600000001"}}) {
			t.Errorf("opaque %q: %+v, %v", opaque, now, err)
		}
	}
	if f.count("GET ") != 3 || f.count("PATCH ") != 3 {
		t.Errorf("sent %v", f.requests())
	}
}

// Whatever a user looks like, it is read without harm, and its contacts can be written back.
func FuzzUser(f *testing.F) {
	f.Add(`{"id":"u1","version":1,"name":"Ana","email":"A@b.example","state":"active","manager":{"id":"m"},"acdAutoAnswer":true,"certifications":["PCI"],"employerInfo":{"employeeId":"007"},"addresses":[{"mediaType":"PHONE","type":"WORK","extension":"1","display":"(+1)"}]}`)
	f.Add(`{"id":"u1","addresses":[null,{"display":"12"},{"mediaType":"x","type":"y","z":[1]}]}`)
	f.Add(`{"id":"u1","addresses":null,"certifications":null,"employerInfo":null,"manager":null}`)
	f.Add(`{"id":"u1","addresses":[{"address":1}]}`)
	f.Add(`{"id":"u1","version":1e9,"email":"\ud800"}`)
	f.Fuzz(func(t *testing.T, body string) {
		written := ""
		d, _ := open(t, &fake{api: func(r *http.Request, sent string) reply {
			if r.Method == http.MethodPatch {
				written = sent
			}
			return jsonReply(200, body)
		}}, tries(0))
		u, err := d.Get(t.Context(), "u1")
		if err != nil {
			return
		}
		if u.ID == "" || len(u.Opaque) == 0 {
			t.Errorf("%+v", u)
		}
		for field, v := range u.Fields.All() {
			if !json.Valid([]byte(v)) {
				t.Errorf("%s is %q", field, v)
			}
		}
		c := &plan.Change{
			Action: plan.Update, Current: &state.User{Observed: u}, Fields: []plan.FieldChange{{Field: spec.Phones}},
			Desired: spec.FieldsOf(map[spec.Field]spec.Value{spec.Phones: u.Fields.Get(spec.Phones)}),
		}
		if _, err := do(t, d, c); err != nil || !json.Valid([]byte(written)) {
			t.Errorf("wrote %q, %v", written, err)
		}
	})
}
