package sdkcontract

import (
	"reflect"
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/genesys/sim"
)

// What the program sends as a whole has parts that no spec names. The SDK sets each of them, a pass changes another part of the
// same thing, and the SDK reads what was there before.
func TestUnknownPartsSurvive(t *testing.T) {
	passes := newWorld(t, sim.Options{Users: 1, IndexLag: -1, GrantLag: -1, Quota: sim.Quota{Limit: 10_000}})
	w := connect(t, passes.sim)
	user := w.Users()[0]
	vip := w.IDOf(sim.Label, "VIP")

	media := sdk.Mediautilization{MaximumCapacity: new(2), InterruptableMediaTypes: &[]string{"callback"}, IncludeNonAcd: new(true)}
	label := sdk.Labelutilizationrequest{MaximumCapacity: new(3), InterruptingLabelIds: &[]string{vip}}
	whole := sdk.Utilizationrequest{Utilization: &map[string]sdk.Mediautilization{"call": media, "workitem": media},
		LabelUtilizations: &map[string]sdk.Labelutilizationrequest{vip: label}, MaxInboundCalls: new(4)}
	phone := sdk.Contact{Address: new("+12025550100"), Extension: new("4100"), MediaType: new("PHONE"), VarType: new("WORK"), CountryCode: new("US"), Integration: new("crm")}
	place := sdk.Location{Id: new(w.IDOf(sim.Location, "Berlin")), Notes: new("2nd floor"), Coordinates: &map[string]float64{"x": 1, "y": 2}}
	// What the models have besides is computed, read-only, or of the answer alone.
	complete(t, media)
	complete(t, label)
	complete(t, whole)
	complete(t, phone, "Display")
	complete(t, place, "FloorplanId", "LocationDefinition")

	set, r, err := w.users.PutRoutingUserUtilization(user.ID, whole)
	shows(w, set, r, err)
	patched, r, err := w.users.PatchUser(user.ID, sdk.Updateuser{Version: new(w.Users()[0].Version), Addresses: &[]sdk.Contact{phone}, Locations: &[]sdk.Location{place},
		Biography: &sdk.Biography{Biography: new("Sails.")}})
	shows(w, patched, r, err)
	read := func() (now *sdk.Agentmaxutilizationresponse, who *sdk.User) {
		t.Helper()
		now, r, err := w.users.GetRoutingUserUtilization(user.ID)
		shows(w, now, r, err)
		who, r, err = w.users.GetUser(user.ID, []string{"locations", "biography"}, "", nil, "")
		return now, shows(w, who, r, err)
	}
	before, was := read()

	passes.declare(map[string]string{user.Email: `utilization: {email: {capacity: 7}, call: {capacity: 2, interruptedBy: [callback]}}
emails: [{type: home, address: me@home.example}]
locations: [{name: Berlin, notes: 3rd floor}, {name: Dublin}]
`})
	passes.reconcile("change a part", false)
	after, is := read()

	same(w, "capacity of email", val(val(after.Utilization)["email"].MaximumCapacity), 7)
	for _, medium := range []string{"call", "workitem"} {
		same(w, medium, val(after.Utilization)[medium], val(before.Utilization)[medium])
	}
	same(w, "labels", val(after.LabelUtilizations), val(before.LabelUtilizations))
	same(w, "inbound calls", val(after.MaxInboundCalls), 4)
	same(w, "biography", val(is.Biography), val(was.Biography))
	same(w, "contacts", len(val(is.Addresses)), 2)
	for _, c := range val(is.Addresses) {
		if val(c.MediaType) == "PHONE" {
			same(w, "phone", c, val(was.Addresses)[0])
		}
	}
	for _, l := range val(is.Locations) {
		if val(l.LocationDefinition.Id) == val(place.Id) {
			same(w, "notes", val(l.Notes), "3rd floor")
			same(w, "coordinates", val(l.Coordinates), val(place.Coordinates))
		}
	}
}

// complete fails if a model has a field that is not set, besides those named.
func complete(t *testing.T, model any, besides ...string) {
	t.Helper()
	known := map[string]bool{"SetFieldNames": true}
	for _, name := range besides {
		known[name] = true
	}
	v := reflect.ValueOf(model)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() != known[name] {
			t.Errorf("%s.%s: set %t", v.Type(), name, !v.Field(i).IsZero())
		}
	}
}
