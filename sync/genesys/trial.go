package genesys

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"usersyncd/spec"
	"usersyncd/sync/apply"
)

// A trial reads a little to see whether it may.
type trial struct {
	*Directory
	user  string // whom it reads, once one was found
	asked bool
}

// reading tries what a need to read takes. The error is one after which nothing more can be tried.
func (t *trial) reading(ctx context.Context, f *Finding) error {
	r, err := t.example(ctx, f.Permission)
	if err != nil {
		return err
	}
	if r.path == "" {
		f.Note = "there is nothing to try it on"
		return nil
	}
	r.method, r.needs = http.MethodGet, f.Permission
	err = t.client.do(ctx, &r, nil) // its status counts alone
	switch {
	case err == nil:
		f.Met = Granted
	case errors.Is(err, apply.ErrForbidden) && f.Permission == mayView && t.user != "": // all divisions were asked for
		f.Met = Partly
	case errors.Is(err, apply.ErrForbidden):
		f.Met = Missing
	case isClosed(err):
		f.Note = err.Error()
	default:
		return err
	}
	return nil
}

// example is where to read what takes a permission, and costs little; path "" is nowhere.
func (t *trial) example(ctx context.Context, permission string) (request, error) {
	one := url.Values{"pageSize": {"1"}}
	ofUser := map[string]string{mayUtilize: utilizationPath, mayViewVoicemail: voicemailPath, mayViewGrants: subjectsPath}
	if path := ofUser[permission]; path != "" || permission == mayView {
		id, err := t.somebody(ctx)
		switch {
		case permission == mayView:
			return request{path: usersPath + "/query", query: one}, err
		case id == "":
			return request{}, err
		}
		return request{path: path, values: []string{id}}, err
	}
	for _, kind := range []spec.Kind{spec.KindSkill, spec.KindLanguage, spec.KindDivision, spec.KindRole, spec.KindQueue, spec.KindGroup} {
		if s := shelfOf(kind); s.needs == permission {
			if kind == spec.KindRole {
				one.Set("userCount", "false")
			}
			return request{path: s.path, query: one}, nil
		}
	}
	return request{}, nil
}

// somebody is the id of a user; "" if none can be seen.
func (t *trial) somebody(ctx context.Context) (id string, err error) {
	if t.asked {
		return t.user, nil
	}
	p, err := call[page[user]](ctx, t.client, &request{method: http.MethodGet, path: usersPath, needs: mayView,
		query: url.Values{"pageSize": {"1"}}})
	if err != nil && !isClosed(err) {
		return "", err
	}
	t.asked = true
	if len(p.Entities) > 0 {
		t.user = p.Entities[0].ID
	}
	return t.user, nil
}
