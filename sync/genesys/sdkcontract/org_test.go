package sdkcontract

import (
	"net/http/httptest"
	"reflect"
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/genesys/sim"
)

// An org is a simulated organization on a socket, and the SDK with a token for it.
type org struct {
	*testing.T
	*sim.Server
	config *sdk.Configuration

	users  *sdk.UsersApi
	routes *sdk.RoutingApi
	auth   *sdk.AuthorizationApi
	groups *sdk.GroupsApi
}

// newOrg makes an organization in which everybody has every field, and nothing lags behind.
func newOrg(t *testing.T) *org {
	t.Helper()
	return connect(t, sim.New(sim.Options{Users: 30, Inactive: 3, Deleted: 2, Full: true, Seed: 1, IndexLag: -1, GrantLag: -1, Quota: sim.Quota{Limit: 10_000}}))
}

// connect puts an organization on a socket.
func connect(t *testing.T, s *sim.Server) *org {
	t.Helper()
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	// Without a file, lest somebody's own settings count. The login host is the API's where that is not called api.
	config := sdk.NewConfigurationWithConfigFile("", false)
	config.BasePath = listener.URL
	if err := config.AuthorizeClientCredentials("demo", "demo"); err != nil || config.AccessToken == "" {
		t.Fatalf("the SDK got no token: %v", err)
	}
	t.Cleanup(func() {
		if unreal := s.Ledger().Unreal; len(unreal) > 0 {
			t.Errorf("the SDK calls what the simulator says does not exist: %v", unreal)
		}
	})
	return &org{t, s, config, sdk.NewUsersApiWithConfig(config), sdk.NewRoutingApiWithConfig(config),
		sdk.NewAuthorizationApiWithConfig(config), sdk.NewGroupsApiWithConfig(config)}
}

// shows takes an answer of the SDK: it must be a success, and its body of the model's shape in everything.
func shows[M any](w *org, model M, r *sdk.APIResponse, err error) M {
	w.Helper()
	if err != nil || r == nil || !r.IsSuccess {
		w.Fatalf("refused: %v", err)
	}
	req := r.Response.Request
	what := req.Method + " " + req.URL.Path
	for _, wrong := range append(strict(r.RawBody, reflect.TypeFor[M]()), describe(w.T).checkAnswer(req.Method, req.URL.EscapedPath(), r.StatusCode, r.RawBody)...) {
		w.Errorf("the answer to %s: %s", what, wrong)
	}
	if reflect.ValueOf(&model).Elem().IsZero() {
		w.Fatalf("%s: nothing was decoded from %s", what, r.RawBody)
	}
	return model
}

// goes takes an answer that tells nothing.
func (w *org) goes(r *sdk.APIResponse, err error) {
	w.Helper()
	if err != nil || r == nil || !r.IsSuccess {
		w.Fatalf("refused: %v", err)
	}
	if r.HasBody && string(r.RawBody) != "{}" {
		w.Errorf("%s %s answers %s, which the SDK does not read", r.Response.Request.Method, r.Response.Request.URL.Path, r.RawBody)
	}
}

// refused takes an answer that is an error, and returns its text.
func (w *org) refused(status int, r *sdk.APIResponse, err error) string {
	w.Helper()
	if err == nil || r == nil || r.Error == nil || r.StatusCode != status || r.Error.Status != status || r.Error.ContextID != r.CorrelationID || r.CorrelationID == "" {
		w.Fatalf("%v, %v: want status %d and the correlation id", r, err, status)
	}
	for _, wrong := range strictAs[sdk.Errorbody](r.RawBody) {
		w.Errorf("the error of %s %s: %s", r.Response.Request.Method, r.Response.Request.URL.Path, wrong)
	}
	return r.Error.Code + ": " + r.Error.Message
}

// member is one of the users made up: an active one with every part that not everybody has.
func (w *org) member() sim.User {
	w.Helper()
	for _, u := range w.Users() {
		if u.State == "active" && u.Utilization != nil && u.ExternalIDs != nil && u.Manager != "" {
			return u
		}
	}
	w.Fatal("nobody has everything")
	return sim.User{}
}

// now is the user as it is stored.
func (w *org) now(u sim.User) sim.User {
	w.Helper()
	for _, other := range w.Users() {
		if other.ID == u.ID {
			return other
		}
	}
	w.Fatalf("%s is gone", u.Email)
	return u
}

// same compares what the SDK decoded with what is stored.
func same(w *org, what string, have, want any) {
	w.Helper()
	if !reflect.DeepEqual(have, want) {
		w.Errorf("%s: the SDK has %v, stored is %v", what, have, want)
	}
}

// val is what a field of a model points to; nothing is the zero value.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// texts collects one text of each item of a list.
func texts[T any](list *[]T, of func(T) *string) []string {
	out := []string{}
	for _, item := range val(list) {
		out = append(out, val(of(item)))
	}
	return out
}
