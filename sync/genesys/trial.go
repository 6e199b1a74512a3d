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
	path, query, err := t.example(ctx, f.Permission)
	if err != nil {
		return err
	}
	if path == "" {
		f.Note = "there is nothing to try it on"
		return nil
	}
	err = t.client.do(ctx, &request{method: http.MethodGet, path: path, template: path, query: query, needs: f.Permission}, nil) // its status counts alone
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

// example is a read that takes a permission, and costs little; path "" is none.
func (t *trial) example(ctx context.Context, permission string) (path string, query url.Values, err error) {
	one := url.Values{"pageSize": {"1"}}
	switch permission {
	case mayView:
		_, err := t.somebody(ctx)
		return usersPath + "/query", one, err
	case mayUtilize, mayViewVoicemail, mayViewGrants:
		id, err := t.somebody(ctx)
		switch {
		case id == "":
		case permission == mayUtilize:
			path = utilizationPath(id)
		case permission == mayViewVoicemail:
			path = voicemailPath(id)
		default:
			path = subjectsPath + url.PathEscape(id)
		}
		return path, nil, err
	}
	for _, kind := range []spec.Kind{spec.KindSkill, spec.KindLanguage, spec.KindDivision, spec.KindRole, spec.KindQueue, spec.KindGroup} {
		if s := shelfOf(kind); s.needs == permission {
			if kind == spec.KindRole {
				one.Set("userCount", "false")
			}
			return s.path, one, nil
		}
	}
	return "", nil, nil
}

// somebody is the id of a user; "" if none can be seen.
func (t *trial) somebody(ctx context.Context) (id string, err error) {
	if t.asked {
		return t.user, nil
	}
	p, err := call[page[user]](ctx, t.client, &request{method: http.MethodGet, path: usersPath, template: usersPath, needs: mayView,
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
