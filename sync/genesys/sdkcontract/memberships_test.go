package sdkcontract

import (
	"slices"
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/genesys/sim"
)

func sorted(list []string) []string { return slices.Sorted(slices.Values(append([]string{}, list...))) }

func (w *org) deleted(id string) bool { return w.now(sim.User{ID: id}).State == "deleted" }

// memberOf is the names of a kind that a user is a direct member of.
func (w *org) memberOf(k sim.Kind, names []string, user string) []string {
	out := []string{}
	for _, name := range names {
		if slices.Contains(w.Members(k, w.IDOf(k, name)), user) {
			out = append(out, name)
		}
	}
	return sorted(out)
}

func (w *org) grants(list *[]sdk.Authzgrant, of string) []sim.Grant {
	out := []sim.Grant{}
	for _, g := range val(list) {
		if val(g.SubjectId) == of {
			same(w, "role", val(val(g.Role).Name), w.NameOf(sim.Role, val(val(g.Role).Id)))
			out = append(out, sim.Grant{Role: val(val(g.Role).Id), Division: val(val(g.Division).Id)})
		}
	}
	return out
}

func sameGrants(w *org, have, want []sim.Grant) {
	w.Helper()
	key := func(list []sim.Grant) []string {
		out := []string{}
		for _, g := range list {
			out = append(out, g.Role+" "+g.Division)
		}
		return sorted(out)
	}
	same(w, "grants", key(have), key(want))
}

func TestGrants(t *testing.T) {
	w := newOrg(t)
	u := w.member()
	subject, r, err := w.auth.GetAuthorizationSubject(u.ID, true)
	now := shows(w, subject, r, err)
	same(w, "subject", []string{val(now.Id), val(now.Name)}, []string{u.ID, u.Name})
	sameGrants(w, w.grants(now.Grants, u.ID), u.Grants)

	role, home := w.IDOf(sim.Role, "Supervisor"), w.IDOf(sim.Division, "Home")
	w.goes(w.auth.PostAuthorizationSubjectBulkreplace(u.ID, sdk.Roledivisiongrants{Grants: &[]sdk.Roledivisionpair{
		{RoleId: &role, DivisionId: &home}, {RoleId: &role, DivisionId: new(sim.AllDivisions)}}}, "PC_USER"))
	want := []sim.Grant{{Role: role, Division: home}, {Role: role, Division: sim.AllDivisions}}
	sameGrants(w, w.now(u).Grants, want)
	subject, r, err = w.auth.GetAuthorizationSubject(u.ID, true)
	sameGrants(w, w.grants(shows(w, subject, r, err).Grants, u.ID), want)

	for _, division := range []string{home, sim.AllDivisions} {
		listed, r, err := w.auth.GetAuthorizationDivisionGrants(division, 1, 500)
		sameGrants(w, w.grants(shows(w, listed, r, err).Entities, u.ID), []sim.Grant{{Role: role, Division: division}})
	}
	holders, r, err := w.auth.GetAuthorizationRoleUsers(role, 100, 1)
	if ids := texts(shows(w, holders, r, err).Entities, func(u sdk.Userreference) *string { return u.Id }); !slices.Contains(ids, u.ID) {
		t.Errorf("%v lacks %s", ids, u.ID)
	}
	roles, r, err := w.users.GetUserRoles(u.ID)
	same(w, "roles", texts(shows(w, roles, r, err).Roles, func(d sdk.Domainrole) *string { return d.Name }), []string{"Supervisor"})
	_, r, err = w.auth.GetAuthorizationSubject("nobody", true)
	w.refused(404, r, err)
}

func TestMoveBetweenDivisions(t *testing.T) {
	w := newOrg(t)
	division := w.IDOf(sim.Division, "APAC")
	w.goes(w.auth.PostAuthorizationDivisionObject(division, "USER", []string{w.Users()[0].ID, w.Users()[1].ID}))
	same(w, "divisions", []string{w.Users()[0].Division, w.Users()[1].Division}, []string{division, division})
}

func TestQueues(t *testing.T) {
	w := newOrg(t)
	list, r, err := w.routes.GetRoutingQueues(1, 500, "", "", nil, nil, nil, "", false, nil)
	queues := shows(w, list, r, err)
	names := texts(queues.Entities, func(q sdk.Queue) *string { return q.Name })
	for _, q := range val(queues.Entities) {
		members := slices.DeleteFunc(w.Members(sim.Queue, val(q.Id)), w.deleted)
		same(w, val(q.Name), []int{val(q.MemberCount), val(q.UserMemberCount)}, []int{len(members), len(members)})
		page, r, err := w.routes.GetRoutingQueueMembers(val(q.Id), 1, 100, "", nil, "", nil, nil, nil, nil, nil, "user", true)
		have := shows(w, page, r, err)
		same(w, val(q.Name), sorted(texts(have.Entities, func(m sdk.Queuemember) *string { return m.Id })), sorted(members))
		for _, m := range val(have.Entities) {
			same(w, "member", []any{val(m.MemberBy), val(m.Joined), val(val(m.User).Id)}, []any{"user", true, val(m.Id)})
		}
	}

	u := w.member()
	mine := func() []string {
		page, r, err := w.users.GetUserQueues(u.ID, 100, 1, true, nil)
		return sorted(texts(shows(w, page, r, err).Entities, func(q sdk.Userqueue) *string { return q.Name }))
	}
	same(w, "queues", mine(), w.memberOf(sim.Queue, names, u.ID))
	for _, name := range names {
		id := w.IDOf(sim.Queue, name)
		w.goes(w.routes.PostRoutingQueueMembers(id, []sdk.Writableentity{{Id: &u.ID}}, slices.Contains(w.Members(sim.Queue, id), u.ID)))
	}
	same(w, "queues", mine(), w.memberOf(sim.Queue, names, u.ID))
	if n := len(mine()); n < 5 {
		t.Errorf("%d queues, after joining all that it was not in", n)
	}
}

func TestGroups(t *testing.T) {
	w := newOrg(t)
	u, name := w.member(), "Coaches"
	id := w.IDOf(sim.Group, name)
	w.SetMembers(sim.Group, id)

	list, r, err := w.groups.GetGroups(500, 1, nil, nil, "")
	if names := texts(shows(w, list, r, err).Entities, func(g sdk.Group) *string { return g.Name }); len(names) != 6 || !slices.Contains(names, name) {
		t.Errorf("groups %v", names)
	}
	version := func() int {
		g, r, err := w.groups.GetGroup(id)
		return val(shows(w, g, r, err).Version)
	}
	v := version()
	empty, r, err := w.groups.PostGroupMembers(id, sdk.Groupmembersupdate{MemberIds: &[]string{u.ID}, Version: &v})
	shows(w, empty, r, err)
	same(w, "members", w.Members(sim.Group, id), []string{u.ID})
	page, r, err := w.groups.GetGroupMembers(id, 100, 1, "", nil)
	if members := val(shows(w, page, r, err).Entities); len(members) == 1 {
		w.is(members[0], w.now(u), false)
	} else {
		t.Errorf("%d members", len(members))
	}
	for _, status := range []int{400, 409} {
		_, r, err := w.groups.PostGroupMembers(id, sdk.Groupmembersupdate{MemberIds: &[]string{u.ID}, Version: &v})
		w.refused(status, r, err)
	}
	same(w, "version", version(), v+1)
	empty, r, err = w.groups.DeleteGroupMembers(id, u.ID)
	shows(w, empty, r, err)
	same(w, "members", w.Members(sim.Group, id), []string(nil))
}
