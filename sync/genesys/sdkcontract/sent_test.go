package sdkcontract

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"
)

// nothing is the model of a request without a body.
type nothing struct{}

// models is what the SDK sends where usersyncd writes; the search is not a write, but has a body too.
var models = map[string]reflect.Type{
	"POST /api/v2/users":                                                     reflect.TypeFor[sdk.Createuser](),
	"PATCH /api/v2/users/{userId}":                                           reflect.TypeFor[sdk.Updateuser](),
	"DELETE /api/v2/users/{userId}":                                          reflect.TypeFor[nothing](),
	"PATCH /api/v2/users/bulk":                                               reflect.TypeFor[[]sdk.Patchuser](),
	"POST /api/v2/users/search":                                              reflect.TypeFor[sdk.Usersearchrequest](),
	"PUT /api/v2/users/{userId}/routingskills/bulk":                          reflect.TypeFor[[]sdk.Userroutingskillpost](),
	"PATCH /api/v2/users/{userId}/routingskills/bulk":                        reflect.TypeFor[[]sdk.Userroutingskillpost](),
	"DELETE /api/v2/users/{userId}/routingskills/{skillId}":                  reflect.TypeFor[nothing](),
	"PATCH /api/v2/users/{userId}/routinglanguages/bulk":                     reflect.TypeFor[[]sdk.Userroutinglanguagepost](),
	"DELETE /api/v2/users/{userId}/routinglanguages/{languageId}":            reflect.TypeFor[nothing](),
	"PUT /api/v2/users/{userId}/profileskills":                               reflect.TypeFor[[]string](),
	"POST /api/v2/users/{userId}/externalid":                                 reflect.TypeFor[sdk.Userexternalidentifier](),
	"DELETE /api/v2/users/{userId}/externalid/{authorityName}/{externalKey}": reflect.TypeFor[nothing](),
	"PUT /api/v2/routing/users/{userId}/utilization":                         reflect.TypeFor[sdk.Utilizationrequest](),
	"DELETE /api/v2/routing/users/{userId}/utilization":                      reflect.TypeFor[nothing](),
	"PATCH /api/v2/voicemail/userpolicies/{userId}":                          reflect.TypeFor[sdk.Voicemailuserpolicy](),
	"POST /api/v2/authorization/subjects/{subjectId}/bulkreplace":            reflect.TypeFor[sdk.Roledivisiongrants](),
	"POST /api/v2/authorization/divisions/{divisionId}/objects/{objectType}": reflect.TypeFor[[]string](),
	"POST /api/v2/routing/queues/{queueId}/members":                          reflect.TypeFor[[]sdk.Writableentity](),
	"POST /api/v2/groups/{groupId}/members":                                  reflect.TypeFor[sdk.Groupmembersupdate](),
	"DELETE /api/v2/groups/{groupId}/members":                                reflect.TypeFor[nothing](),
}

// reads is what usersyncd asks for: paths and query parameters are checked.
var reads = strings.Fields(`
	/api/v2/organizations/me
	/api/v2/users
	/api/v2/users/{userId}
	/api/v2/users/{userId}/queues
	/api/v2/users/{userId}/externalid
	/api/v2/routing/utilization
	/api/v2/routing/utilization/labels
	/api/v2/routing/users/{userId}/utilization
	/api/v2/voicemail/userpolicies/{userId}
	/api/v2/authorization/subjects/{subjectId}
	/api/v2/authorization/divisions
	/api/v2/authorization/divisions/{divisionId}/grants
	/api/v2/authorization/roles
	/api/v2/authorization/roles/{roleId}/users
	/api/v2/routing/skills
	/api/v2/routing/languages
	/api/v2/routing/queues
	/api/v2/routing/queues/{queueId}/members
	/api/v2/locations
	/api/v2/groups
	/api/v2/groups/{groupId}
	/api/v2/groups/{groupId}/individuals`)

// laxer says where the description asks for more than the API does.
var laxer = map[string]string{
	`POST /api/v2/users $: no "divisionId"`: "the vendor's Terraform provider leaves it out: the user goes to the home division",
}

// A sent is one request that usersyncd made.
type sent struct {
	method, target string
	media          string
	body           []byte
}

// A recorder keeps what goes over the wire, but for tokens.
type recorder struct {
	next http.RoundTripper
	mu   sync.Mutex
	all  []sent
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil && req.Body != http.NoBody {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	if strings.HasPrefix(req.URL.Path, "/api/") {
		r.mu.Lock()
		r.all = append(r.all, sent{req.Method, req.URL.RequestURI(), req.Header.Get("Content-Type"), body})
		r.mu.Unlock()
	}
	return r.next.RoundTrip(req)
}

// operation names a request as models does; "" is none that the API has.
func (s sent) operation(d *description) string {
	path, _, _ := strings.Cut(s.target, "?")
	if o := d.find(s.method, path); o != nil {
		return s.method + " " + o.path
	}
	return ""
}

// wrong returns what is wrong with a request.
func (s sent) wrong(d *description) []string {
	name := s.operation(d)
	all := slices.DeleteFunc(d.check(s.method, s.target, s.body), func(fault string) bool { return laxer[name+" "+fault] != "" })
	model := models[name]
	switch {
	case name == "":
	case s.method == http.MethodGet:
		if len(s.body) > 0 {
			all = append(all, "a body")
		}
		if !slices.Contains(reads, strings.TrimPrefix(name, "GET ")) {
			all = append(all, "not in this test's list of reads")
		}
	case model == nil:
		all = append(all, "no model in this test's table")
	case model == reflect.TypeFor[nothing]():
		if len(s.body) > 0 {
			all = append(all, "a body where the SDK sends none")
		}
	default:
		all = append(all, strict(s.body, model)...)
		if s.media != "application/json" {
			all = append(all, "Content-Type "+s.media)
		}
	}
	return all
}

// check looks at everything that was sent, and whether that was everything there is.
func (r *recorder) check(t *testing.T) {
	t.Helper()
	d := describe(t)
	seen, told := map[string]int{}, map[string]bool{}
	for _, s := range r.all {
		name := s.operation(d)
		seen[name]++
		for _, wrong := range s.wrong(d) {
			if line := name + ": " + wrong; !told[line] {
				told[line] = true
				t.Errorf("%s %s %s: %s", s.method, s.target, s.body, wrong)
			}
		}
	}
	for name := range models {
		if seen[name] == 0 {
			t.Errorf("never sent: %s", name)
		}
	}
	for _, path := range reads {
		if seen["GET "+path] == 0 {
			t.Errorf("never asked for: %s", path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%4d %s", seen[name], name)
	}
}

// largest is the most that a body of one kind had in one list.
func (r *recorder) largest(d *description, operation string) int {
	most := 0
	for _, s := range r.all {
		if s.operation(d) != operation {
			continue
		}
		var list []json.RawMessage
		var members struct{ MemberIds []string }
		if json.Unmarshal(s.body, &list) == nil {
			most = max(most, len(list))
		} else if json.Unmarshal(s.body, &members) == nil {
			most = max(most, len(members.MemberIds))
		}
	}
	return most
}

// The table itself: each model is the one that the description has for the operation.
func TestModelsAreTheOperations(t *testing.T) {
	d := describe(t)
	for name, model := range models {
		method, path, _ := strings.Cut(name, " ")
		o := d.Paths[path][strings.ToLower(method)]
		if o == nil {
			t.Errorf("%s: the API does not have it", name)
			continue
		}
		want := "nothing"
		if p := o.body(); p != nil {
			want = p.Schema.name()
		}
		have := model.Name()
		if model.Kind() == reflect.Slice {
			have = "[]" + model.Elem().Name()
		}
		if !strings.EqualFold(have, want) {
			t.Errorf("%s: the model is %s, described is %s", name, have, want)
		}
	}
	for _, path := range reads {
		if d.Paths[path]["get"] == nil {
			t.Errorf("GET %s: the API does not have it", path)
		}
	}
}

func (s *schema) name() string {
	switch {
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/definitions/")
	case s.Type == "array":
		return "[]" + s.Items.name()
	}
	return s.Type
}
