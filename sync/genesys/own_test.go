package genesys_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// A list of individuals may be older than the membership: whom it does not show is removed all the same.
func TestLeavingAGroupThatDoesNotShowTheUserYet(t *testing.T) {
	f := &fake{api: func(r *http.Request, _ string) reply {
		if strings.HasSuffix(r.URL.Path, "/groups") {
			return jsonReply(200, `{"entities":[{"id":"g1","name":"Berlin"}],"total":1,"pageCount":1}`)
		}
		return jsonReply(200, `{"entities":[],"total":0}`)
	}}
	d, _ := open(t, f, nil)
	if _, err := d.Individuals(t.Context(), "Berlin"); err != nil {
		t.Fatal(err)
	}
	c := differing(plan.Update, known(spec.FieldsOf(map[spec.Field]spec.Value{spec.Groups: `["Berlin"]`})), spec.FieldsOf(map[spec.Field]spec.Value{spec.Groups: "[]"}))
	if _, err := do(t, d, c); err != nil || f.count("DELETE /api/v2/groups/g1/members") != 1 {
		t.Errorf("%v, sent %v", err, f.requests())
	}
}

// The grants of the OAuth client that usersyncd itself runs as are never written, whatever a spec pins.
func TestOwnGrantsAreNotWritten(t *testing.T) {
	f := &fake{api: func(*http.Request, string) reply {
		return jsonReply(200, `{"entities":[{"id":"r1","name":"Agent"},{"id":"d1","name":"Home","homeDivision":true}],"pageCount":1}`)
	}}
	d, _ := open(t, f, nil)
	for id, refused := range map[string]bool{"client": true, "u1": false} {
		c := differing(plan.Update, &state.User{Observed: state.Observed{ID: id, Version: 1}},
			spec.FieldsOf(map[spec.Field]spec.Value{spec.Roles: spec.RoleList([]spec.Role{{Name: "Agent"}})}))
		_, err := d.Do(t.Context(), d.Compile([]*plan.Change{c})[0])
		if errors.Is(err, apply.ErrRefused) != refused || refused && !strings.Contains(err.Error(), "own OAuth client") {
			t.Errorf("%s: %v", id, err)
		}
	}
	if n := f.count("POST /api/v2/authorization/subjects/u1/bulkreplace"); n != 1 || f.count("POST /api/v2/authorization/subjects/") != 1 {
		t.Errorf("sent %v", f.requests())
	}
}
