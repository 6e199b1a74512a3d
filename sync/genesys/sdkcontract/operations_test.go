package sdkcontract

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
)

// A used operation is one that the program's table has.
type used struct {
	api.Operation
	name string // in the table
}

// described finds the operation in the API description.
func (u used) described(t *testing.T) *operation {
	t.Helper()
	path := strings.Split("/api/v2"+u.Path, "/")
	for i, part := range path {
		if strings.HasPrefix(part, "{") {
			path[i] = "x"
		}
	}
	o := describe(t).find(u.Method, strings.Join(path, "/"))
	if o == nil {
		t.Fatalf("%s: the API does not have %s %s", u.name, u.Method, u.Path)
	}
	return o
}

// source is a file of the program that has tables which no other package can see, and what its package declares.
type source struct {
	*testing.T
	file     *ast.File
	declared map[string]any // *ast.ValueSpec or *ast.FuncDecl
}

func parse(t *testing.T, path string) source {
	t.Helper()
	s := source{t, nil, map[string]any{}}
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(p) == filepath.Base(path) {
			s.file = file
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				s.declared[d.Name.Name] = d
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok {
						s.declared[v.Names[0].Name] = v
					}
				}
			}
		}
	}
	return s
}

// text is the value of a literal, or of a constant.
func (s source) text(e ast.Expr) string {
	s.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		if v, err := strconv.Unquote(e.Value); err == nil {
			return v
		}
	case *ast.Ident:
		if spec, ok := s.declared[e.Name].(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			return s.text(spec.Values[0])
		}
	}
	s.Fatalf("%T is no text", e)
	return ""
}

// codes are those of a row: a map, or the call of a function that returns one.
func (s source) codes(e ast.Expr) map[string]error {
	s.Helper()
	if call, ok := e.(*ast.CallExpr); ok {
		body := s.declared[call.Fun.(*ast.Ident).Name].(*ast.FuncDecl).Body.List
		e = body[len(body)-1].(*ast.ReturnStmt).Results[0]
	}
	kinds := map[string]error{"ErrRefused": apply.ErrRefused, "ErrConflict": apply.ErrConflict, "ErrNotFound": apply.ErrNotFound, "ErrUncertain": apply.ErrUncertain}
	all := map[string]error{}
	for _, entry := range e.(*ast.CompositeLit).Elts {
		pair := entry.(*ast.KeyValueExpr)
		kind := kinds[pair.Value.(*ast.SelectorExpr).Sel.Name]
		if kind == nil {
			s.Fatalf("this test does not know the kind %s", pair.Value.(*ast.SelectorExpr).Sel.Name)
		}
		all[s.text(pair.Key)] = kind
	}
	return all
}

// operations reads the program's table.
func operations(t *testing.T) []used {
	t.Helper()
	s := parse(t, "../operations.go")
	var all []used
	ast.Inspect(s.file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		row, ok := spec.Values[0].(*ast.CompositeLit)
		if !ok {
			return true
		}
		u := used{name: spec.Names[0].Name}
		for _, e := range row.Elts {
			pair := e.(*ast.KeyValueExpr)
			switch pair.Key.(*ast.Ident).Name {
			case "Method":
				u.Method = s.text(pair.Value)
			case "Path":
				u.Path = s.text(pair.Value)
			case "Asks":
				u.Asks = true
			case "Codes":
				u.Codes = s.codes(pair.Value)
			}
		}
		all = append(all, u)
		return true
	})
	if len(all) < 50 {
		t.Fatalf("only %d operations were found", len(all))
	}
	return all
}

// others are operations of the program that no pass of TestEverythingSent needs, as the SDK calls them.
var others = map[string]func(*org) (*sdk.APIResponse, error){
	"GET /api/v2/authorization/divisions/home": func(w *org) (*sdk.APIResponse, error) {
		home, r, err := w.auth.GetAuthorizationDivisionsHome()
		same(w, "name", val(shows(w, home, r, err).Name), "Home")
		return r, err
	},
	"GET /api/v2/authorization/roles/{roleId}": func(w *org) (*sdk.APIResponse, error) {
		role, r, err := w.auth.GetAuthorizationRole(w.IDOf(sim.Role, "Agent"), false, nil)
		same(w, "name", val(shows(w, role, r, err).Name), "Agent")
		return r, err
	},
	"GET /api/v2/oauth/clients/{clientId}": func(w *org) (*sdk.APIResponse, error) {
		client, r, err := sdk.NewOAuthApiWithConfig(w.config).GetOauthClient("demo")
		same(w, "name", val(shows(w, client, r, err).Name), "usersyncd")
		return r, err
	},
	"GET /api/v2/tokens/me": func(w *org) (*sdk.APIResponse, error) {
		me, r, err := sdk.NewTokensApiWithConfig(w.config).GetTokensMe(false)
		same(w, "client", val(val(shows(w, me, r, err).OAuthClient).Name), "usersyncd")
		return r, err
	},
	"GET /api/v2/users/externalid/{authorityName}/{externalKey}": func(w *org) (*sdk.APIResponse, error) {
		u := w.Users()[0]
		user, r, err := w.users.GetUsersExternalidAuthorityNameExternalKey("hr", u.ExternalIDs["hr"], nil)
		same(w, "id", val(shows(w, user, r, err).Id), u.ID)
		return r, err
	},
	"GET /api/v2/users/query": func(w *org) (*sdk.APIResponse, error) {
		page, r, err := w.users.GetUsersQuery("", 100, "ASC", nil, "", nil, "active")
		same(w, "users", len(val(shows(w, page, r, err).Entities)), 27)
		return r, err
	},
}

// Every operation of the program is called here: by a pass, or by the SDK. The tables have no others.
func TestOperationsAreCalled(t *testing.T) {
	w := newOrg(t)
	left := map[string]bool{}
	for name := range models {
		left[name] = true
	}
	for _, path := range reads {
		left["GET "+path] = true
	}
	for name := range others {
		left[name] = true
	}
	missing := map[string]bool{}
	for _, u := range operations(t) {
		name := u.Method + " " + u.described(t).path
		missing[name] = missing[name] || !left[name]
	}
	for name, is := range missing {
		if is {
			t.Errorf("%s: the program uses it, and no test here calls it", name)
		}
		delete(left, name)
	}
	for name := range left {
		t.Errorf("%s: the program does not use it", name)
	}
	for name, call := range others {
		r, err := call(w)
		if err != nil {
			t.Fatal(err)
		}
		if o := describe(t).find(r.Response.Request.Method, r.Response.Request.URL.EscapedPath()); o == nil || http.MethodGet+" "+o.path != name {
			t.Errorf("%s: the SDK called %s %s", name, r.Response.Request.Method, r.Response.Request.URL)
		}
	}
}
