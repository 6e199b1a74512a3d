package sdkcontract

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"
)

// The check can fail: each of these has one fault, and the SDK itself would take most of them.
func TestStrictRefuses(t *testing.T) {
	for _, c := range []struct {
		body  string
		model any
		wrong string
	}{
		{`{"name":"A","emial":"a@example.com"}`, sdk.Createuser{}, `$: platformclientv2.Createuser has no field "emial"`},
		{`{"Name":"A"}`, sdk.Createuser{}, `has no field "Name"`},
		{`{"SetFieldNames":{}}`, sdk.Createuser{}, `has no field "SetFieldNames"`},
		{`{"name":7}`, sdk.Createuser{}, "$.name: number for string"},
		{`{"name":null}`, sdk.Createuser{}, "$.name: null for string"},
		{`{"addresses":{}}`, sdk.Createuser{}, "$.addresses: object for []platformclientv2.Contact"},
		{`{"addresses":[{"mediaType":"PHONE"},{"kind":"WORK"}]}`, sdk.Createuser{}, `$.addresses[1]: platformclientv2.Contact has no field "kind"`},
		{`{"addresses":[{"VarType":"WORK"}]}`, sdk.Createuser{}, `has no field "VarType"`},
		{`{"divisionId":"d","manager":"m"}`, sdk.Createuser{}, `has no field "manager"`},
		{`{"version":"3"}`, sdk.Updateuser{}, "$.version: string for int"},
		{`{"version":3.5}`, sdk.Updateuser{}, "$.version: 3.5 for int"},
		{`{"version":1e30}`, sdk.Updateuser{}, "$.version: 1e30 for int"},
		{`{"manager":{"id":"m"}}`, sdk.Updateuser{}, "$.manager: object for string"},
		{`{"divisionId":"d"}`, sdk.Updateuser{}, `has no field "divisionId"`},
		{`{"acdAutoAnswer":"true"}`, sdk.Updateuser{}, "$.acdAutoAnswer: string for bool"},
		{`{"employerInfo":{"employeeID":"7"}}`, sdk.Updateuser{}, `$.employerInfo: platformclientv2.Employerinfo has no field "employeeID"`},
		{`{"certifications":["PCI",1]}`, sdk.Updateuser{}, "$.certifications[1]: number for string"},
		{`{"manager":"m"}`, sdk.User{}, "$.manager: string for platformclientv2.User"},
		{`{"dateLastLogin":"yesterday"}`, sdk.User{}, "$.dateLastLogin: parsing time"},
		{`{"dateLastLogin":7}`, sdk.User{}, "$.dateLastLogin: number for a time"},
		{`{"results":[{"skills":[{"proficiency":"5"}]}]}`, sdk.Userssearchresponse{}, "$.results[0].skills[0].proficiency: string for float64"},
		{`[{"id":"s","proficiency":true}]`, []sdk.Userroutingskillpost{}, "$[0].proficiency: bool for float64"},
		{`{"id":"s"}`, []sdk.Userroutingskillpost{}, "$: object for []platformclientv2.Userroutingskillpost"},
		{`["Chess",null]`, []string{}, "$[1]: null for string"},
		{`{"utilization":{"call":{"maximumCapacity":1,"interruptibleMediaTypes":[]}}}`, sdk.Utilizationrequest{},
			`$.utilization.call: platformclientv2.Mediautilization has no field "interruptibleMediaTypes"`},
		{`{"utilization":[]}`, sdk.Utilizationrequest{}, "$.utilization: array for map[string]platformclientv2.Mediautilization"},
		{`{"memberIds":"u","version":1}`, sdk.Groupmembersupdate{}, "$.memberIds: string for []string"},
		{`{"grants":[{"role":"r"}]}`, sdk.Roledivisiongrants{}, `$.grants[0]: platformclientv2.Roledivisionpair has no field "role"`},
		{`{"name":"A"`, sdk.Createuser{}, "no JSON"},
		{``, sdk.Createuser{}, "no JSON"},
		{`{} {}`, sdk.Createuser{}, "more than one JSON value"},
	} {
		wrong := strict([]byte(c.body), reflect.TypeOf(c.model))
		if len(wrong) != 1 || !strings.Contains(wrong[0], c.wrong) {
			t.Errorf("%s: %q, want one that says %q", c.body, wrong, c.wrong)
		}
	}
}

// What the SDK itself writes passes, and everything wrong is found at once.
func TestStrictTakes(t *testing.T) {
	text, n, on := "x", 3, true
	body, err := json.Marshal(sdk.Updateuser{Name: &text, Version: &n, AcdAutoAnswer: &on, Manager: &text, Certifications: &[]string{},
		Addresses: &[]sdk.Contact{{VarType: &text, MediaType: &text}}, Biography: &sdk.Biography{Biography: &text}})
	if wrong := strictAs[sdk.Updateuser](body); err != nil || len(wrong) > 0 {
		t.Errorf("%s: %v %q", body, err, wrong)
	}
	if wrong := strictAs[sdk.Updateuser]([]byte(`{"a":1,"b":2,"version":null,"name":[]}`)); len(wrong) != 4 {
		t.Errorf("%q", wrong)
	}
	var u sdk.Updateuser
	if err := json.Unmarshal([]byte(`{"version":"3","divisionId":"d"}`), &u); err != nil || u.Version != nil {
		t.Errorf("the SDK has become strict itself: %v", err)
	}
}

// So can the check against the description of the API.
func TestDescriptionRefuses(t *testing.T) {
	d := describe(t)
	for _, c := range []struct{ method, url, body, wrong string }{
		{"PUT", "/api/v2/users/u", `{}`, "no such operation"},
		{"POST", "/api/v2/users/get", `{}`, "no such operation"},
		{"GET", "/api/v2/users?pagesize=5", ``, `no query parameter "pagesize"`},
		{"GET", "/api/v2/users?state=gone", ``, `"gone" for "state"`},
		{"GET", "/api/v2/users?expand=skills,skils", ``, `"skils" for "expand"`},
		{"GET", "/api/v2/users?pageSize=many", ``, `"many" for "pageSize"`},
		{"POST", "/api/v2/routing/queues/q/members?delete=yes", `[{"id":"u"}]`, `"yes" for "delete"`},
		{"POST", "/api/v2/users", ``, "no body"},
		{"DELETE", "/api/v2/users/u", `{}`, "takes no body"},
		{"PATCH", "/api/v2/users/u", `{"name":"A"}`, `$: no "version"`},
		{"PATCH", "/api/v2/users/u", `{"version":1,"selfUri":"/"}`, `$.selfUri is read-only`},
		{"PATCH", "/api/v2/users/u", `{"version":1,"state":"gone"}`, `$.state: "gone"`},
		{"PATCH", "/api/v2/users/u", `{"version":1,"addresses":[{"mediaType":"Phone"}]}`, `$.addresses[0].mediaType: "Phone"`},
		{"PATCH", "/api/v2/users/u/routingskills/bulk", `[{"id":"s"}]`, `$[0]: no "proficiency"`},
		{"POST", "/api/v2/authorization/subjects/u/bulkreplace", `{"grants":[{"roleId":"r"}]}`, `$.grants[0]: no "divisionId"`},
	} {
		wrong := d.check(c.method, c.url, []byte(c.body))
		if len(wrong) != 1 || !strings.Contains(wrong[0], c.wrong) {
			t.Errorf("%s %s %s: %q, want one that says %q", c.method, c.url, c.body, wrong, c.wrong)
		}
	}
}
