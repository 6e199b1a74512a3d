package sim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/sync/genesys/sim"
)

// addresses writes a list of contacts to a fresh user and reads it back.
func addresses(t *testing.T, list string) (w *org, r reply) {
	t.Helper()
	w = newOrg(t, sim.Options{})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
	r = w.call(http.MethodPatch, users+"/u-1", `{"version":1,"addresses":[`+list+`]}`)
	if r.status == 200 {
		r = w.must(http.MethodGet, users+"/u-1", "")
	}
	return w, r
}

// What is read back is not what was sent: display is computed, and where a number stands depends on
// whether there is an extension and a pool for it.
func TestContactShapes(t *testing.T) {
	for sent, want := range map[string]string{
		`{"address":"+12025550100"}`: `{"mediaType":"PHONE","type":"WORK","address":"+12025550100","display":"+12 025 550100"}`,
		`{"mediaType":"SMS","type":"MOBILE","address":"+1 (202) 555-0100","display":"mine"}`: `{"mediaType":"SMS","type":"MOBILE","address":"+12025550100","display":"+12 025 550100"}`,
		`{"type":"WORK2","extension":"4001"}`:                                                `{"mediaType":"PHONE","type":"WORK2","extension":"4001","display":"4001","address":"+493012344001"}`,
		`{"type":"WORK3","address":"+12025550100","extension":"41"}`:                         `{"mediaType":"PHONE","type":"WORK3","extension":"41","display":"(+12 025 550100)"}`,
		`{"type":"OTHER","extension":"9001"}`:                                                `{"mediaType":"PHONE","type":"OTHER","display":"9001"}`,
		`{"mediaType":"EMAIL","type":"HOME","address":"a@home.example"}`:                     `{"mediaType":"EMAIL","type":"HOME","address":"a@home.example"}`,
		`{"type":"MAIN","address":"+4930123456","countryCode":"DE","integration":"i"}`: `{"mediaType":"PHONE","type":"MAIN","address":"+4930123456",
			"display":"+49 301 23456","countryCode":"DE","integration":"i"}`,
	} {
		_, r := addresses(t, sent)
		var wanted object
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]object{wanted}, r.list("addresses")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sent, diff)
		}
	}
}

func TestContactRefuses(t *testing.T) {
	for list, says := range map[string]string{
		`{}`:                         "needs an address",
		`{"display":"+12025550100"}`: "needs an address",
		`{"mediaType":"FAX","address":"+12025550100"}`:                        "PHONE, EMAIL, SMS",
		`{"mediaType":"phone","address":"+12025550100"}`:                      "PHONE, EMAIL, SMS",
		`{"type":"WORK5","address":"+12025550100"}`:                           "WORK4",
		`{"address":"2025550100"}`:                                            "not valid",
		`{"address":"+0123456789"}`:                                           "not valid",
		`{"address":"+12"}`:                                                   "not valid",
		`{"address":"+1234567890123456"}`:                                     "not valid",
		`{"address":"+1202x550100"}`:                                          "not valid",
		`{"address":"()"}`:                                                    "not valid",
		`{"extension":"4x"}`:                                                  "extension",
		`{"mediaType":"EMAIL"}`:                                               "not valid",
		`{"mediaType":"EMAIL","address":"x"}`:                                 "not valid",
		`{"mediaType":"EMAIL","address":"a@b.example","extension":"1"}`:       "no extension",
		`{"address":"+12025550100"},{"type":"WORK","extension":"41"}`:         "more than one",
		`{"address":"+12025550100"},{"mediaType":"PHONE","extension":"4100"}`: "more than one",
	} {
		w, r := addresses(t, list)
		w.refused(r, 400, "bad.request")
		if !strings.Contains(r.text("message"), says) {
			t.Errorf("%s: %q does not say %q", list, r.text("message"), says)
		}
	}
}

func TestPrimaryContact(t *testing.T) {
	w, r := addresses(t, `{"type":"PRIMARY","address":"+12025550100"},{"type":"WORK","address":"+12025550101"},{"mediaType":"SMS","address":"+12025550102"}`)
	if got := r.list("primaryContactInfo"); len(got) != 2 || got[0]["address"] != "ana@example.com" || got[0]["type"] != "PRIMARY" || got[1]["address"] != "+12025550100" {
		t.Errorf("%v", got)
	}
	if got := r.list("addresses"); len(got) != 3 {
		t.Errorf("%v", got)
	}
	r = w.must(http.MethodPatch, users+"/u-1", `{"version":2,"email":"ana.silva@example.com"}`)
	if got := r.list("primaryContactInfo"); got[0]["address"] != "ana.silva@example.com" {
		t.Errorf("%v", got)
	}
}

// Every shape is among the people made up, and sending one back as a client understands it changes nothing.
func TestSeededContacts(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 6000, Quota: sim.Quota{Limit: 1 << 20}})
	shapes := map[string]int{}
	for i, u := range w.Users() {
		for _, c := range u.Contacts {
			shape := c.MediaType
			if c.Address != "" {
				shape += " address"
			}
			if c.Extension != "" {
				shape += " extension"
			}
			if c.Pooled {
				shape += " pooled"
			}
			shapes[shape]++
		}
		if i%500 > 4 {
			continue
		}
		list, err := json.Marshal(wireOf(u.Contacts))
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(object{"version": u.Version, "addresses": json.RawMessage(list)})
		if err != nil {
			t.Fatal(err)
		}
		w.must(http.MethodPatch, users+"/"+u.ID, string(body))
		now, _ := w.User(u.Email)
		if len(u.Contacts)+len(now.Contacts) > 0 && !cmp.Equal(u.Contacts, now.Contacts) {
			t.Errorf("%s: %s", u.Email, cmp.Diff(u.Contacts, now.Contacts))
		}
	}
	for _, shape := range []string{"PHONE address", "PHONE extension pooled", "PHONE address extension pooled", "PHONE extension", "EMAIL address"} {
		if shapes[shape] != 1200 {
			t.Errorf("%d are %s, want a fifth", shapes[shape], shape)
		}
	}
}

func wireOf(contacts []sim.Contact) []object {
	list := []object{}
	for _, c := range contacts {
		o := object{"mediaType": c.MediaType, "type": c.Type}
		if c.Address != "" {
			o["address"] = c.Address
		}
		if c.Extension != "" {
			o["extension"] = c.Extension
		}
		list = append(list, o)
	}
	return list
}

// One contact may have a number and an extension, which is not the pool's then; of an extension alone the pool can be read.
func TestNumberAndExtension(t *testing.T) {
	w := newOrg(t, sim.Options{})
	r := w.must(http.MethodPost, users, `{"name":"Ana","email":"ana@example.com","addresses":[{"address":"+12025550100","extension":"4100"},{"type":"HOME","extension":"4101"}]}`)
	for i, want := range []object{
		{"extension": "4100", "display": "(+12 025 550100)", "mediaType": "PHONE", "type": "WORK"},
		{"extension": "4101", "display": "4101", "address": "+493012344101", "mediaType": "PHONE", "type": "HOME"},
	} {
		if diff := cmp.Diff(want, r.list("addresses")[i]); diff != "" {
			t.Errorf("(-want +shown):\n%s", diff)
		}
	}
	pools := w.must(http.MethodGet, "/api/v2/telephony/providers/edges/extensionpools?pageSize=100&pageNumber=1", "")
	if list := pools.list("entities"); len(list) != 1 || list[0]["startNumber"] != "1000" || pools.number("total") != 1 {
		t.Errorf("%s", pools.body)
	}
	const pool = "/api/v2/telephony/providers/edges/extensionpools/"
	if r := w.must(http.MethodGet, pool+"e9000000-0000-4000-8000-000000000001", ""); r.text("state") != "active" {
		t.Errorf("%s", r.body)
	}
	w.refused(w.call(http.MethodGet, pool+"x", ""), 404, "not.found")
}
