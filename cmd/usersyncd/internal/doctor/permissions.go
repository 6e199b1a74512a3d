package doctor

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/genesys"
	"usersyncd/sync/plan"
)

// permissions compares what the fields in use need with what the OAuth client may do.
func (e *examination) permissions(ctx context.Context) findings {
	u := e.usage()
	access, err := e.genesys.Access(ctx, u.Needs())
	if err != nil {
		return e.failed(err)
	}
	return compareAccess(access, len(u.Fields))
}

// usage is what the permissions are for: the fields declared, and those applied before.
func (e *examination) usage() genesys.Usage {
	unmanaged, _ := e.Unmanaged() // checked before
	u := genesys.Usage{Create: e.Create, Delete: e.OnRemoval == string(plan.Delete), Admins: e.MinAdmins > 0}
	for _, f := range plan.FieldsInUse(e.tree, cmp.Or(e.snapshot, &state.Snapshot{})) {
		if e.Create || !slices.Contains(unmanaged, f) { // an unmanaged field is set for new users alone
			u.Fields = append(u.Fields, f)
		}
	}
	return u
}

// compareAccess says which permissions are missing for a number of fields.
func compareAccess(a genesys.Access, fields int) findings {
	by := map[genesys.Met][]string{}
	var missing []string
	for _, f := range a.Findings {
		by[f.Met] = append(by[f.Met], f.Permission+" ("+strings.Join(f.For, ", ")+")")
		if f.Met == genesys.Missing {
			missing = append(missing, f.Permission)
		}
	}
	list := func(m genesys.Met) string { return strings.Join(by[m], "; ") }
	role, how := "a role of the OAuth client", "by reading, as its roles are not visible"
	if len(a.Roles) > 0 {
		quoted := make([]string, len(a.Roles))
		for i, r := range a.Roles {
			quoted[i] = spec.Text(r).Display()
		}
		role = "role " + strings.Join(quoted, " or ")
		how = "by " + strings.Join(quoted, ", ")
	}
	client, needed := "the OAuth client", text.Plural(fields, "field")
	if a.Client != "" {
		client += " " + spec.Text(a.Client).Display()
	}
	var found findings
	switch n := len(missing); {
	case a.ByRoles && len(a.Roles) == 0:
		found = problem(oauthAdmin+"give the client a role, in all divisions, with: "+strings.Join(missing, ", "), "%s has no role", client)
	case n > 0:
		found = problem("in Admin > Roles, add to "+role+": "+strings.Join(missing, ", "), "%s lacks %d of the %d permissions that %s need: %s", client, n, len(a.Findings), needed, list(genesys.Missing))
	default:
		found = ok("%s has %d of the %d permissions that %s need (checked %s)", client, len(a.Findings)-len(by[genesys.Unknown]), len(a.Findings), needed, how)
	}
	if n := len(by[genesys.Partly]); n > 0 {
		found = append(found, warning(oauthAdmin+"give the client "+role+" in all divisions", "%s not granted in all divisions, so that users of the others are not seen: %s",
			text.Count(n, "permission is", "permissions are"), list(genesys.Partly)).named("divisions")...)
	}
	if len(by[genesys.Unknown]) > 0 {
		unknown := finding(Unchecked, "to have them checked, add authorization:role:view, and oauth:client:view or authorization:grant:view",
			"the client may not see its own roles, and only writing would show these: %s", []any{list(genesys.Unknown)})
		found = append(found, unknown.named("further permissions")...)
	}
	return found
}
