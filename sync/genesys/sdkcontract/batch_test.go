package sdkcontract

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/genesys/sim"
)

// Many users by id, deleted ones too, and no more than there may be.
func TestReadUsersByID(t *testing.T) {
	w := newOrg(t)
	byID, ids := map[string]sim.User{}, []string{}
	for _, u := range w.Users() {
		byID[u.ID] = u
		ids = append(ids, u.ID)
	}
	p, r, err := w.users.GetUsers(100, 1, ids, nil, "", expansions, "", nil, "any")
	listing := shows(w, p, r, err)
	same(w, "counts", []int{val(listing.Total), val(listing.PageCount), len(val(listing.Entities))}, []int{len(ids), 1, len(ids)})
	for _, u := range val(listing.Entities) {
		same(w, "state", val(u.State), byID[val(u.Id)].State)
		same(w, "email", val(u.Email), byID[val(u.Id)].Email)
	}
	_, r, err = w.users.GetUsers(100, 1, slices.Repeat(ids[:1], 101), nil, "", nil, "", nil, "any")
	if text := w.refused(400, r, err); !strings.HasPrefix(text, "max.user.ids: ") {
		t.Errorf("101 ids: %s", text)
	}
}

// Many addresses in one criterion, and no more than there may be.
func TestSearchManyAddresses(t *testing.T) {
	w := newOrg(t)
	exact, emails := "EXACT", []string{}
	for _, u := range w.Users() {
		emails = append(emails, u.Email)
	}
	query := func(values []string) sdk.Usersearchrequest {
		return sdk.Usersearchrequest{PageSize: new(50), PageNumber: new(1), Query: &[]sdk.Usersearchcriteria{
			{VarType: &exact, Fields: &[]string{"email"}, Values: &values},
			{VarType: &exact, Fields: &[]string{"state"}, Values: &[]string{"active", "inactive", "deleted"}},
		}}
	}
	p, r, err := w.users.PostUsersSearch(query(emails))
	found := shows(w, p, r, err)
	same(w, "found", texts(found.Results, func(u sdk.User) *string { return u.Email }), emails)
	same(w, "counts", []int{val(found.Total), val(found.PageCount)}, []int{len(emails), 1})

	_, r, err = w.users.PostUsersSearch(query(slices.Repeat(emails[:1], 51)))
	if text := w.refused(400, r, err); !strings.HasPrefix(text, "search.criteria.values.exceed.limit: ") {
		t.Errorf("51 values: %s", text)
	}
}

// What is sent for many users at once is what the description has, and as few as it may be.
func TestManyAtOnceSent(t *testing.T) {
	d := describe(t) // outside of the bubble, since it runs a process
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 240, Inactive: 20, Deleted: 10, Seed: 1, IndexLag: -1, Quota: sim.Quota{Limit: 1 << 20}})
		var ids, emails []string
		for _, u := range w.sim.Users() {
			ids, emails = append(ids, u.ID), append(emails, u.Email)
		}
		read, err := w.Directory.Read(t.Context(), ids)
		if err != nil || len(read) != 250 {
			t.Fatalf("%d users, %v", len(read), err)
		}
		for _, asked := range [][]string{emails[150:], emails[130:]} { // by searches, and by a listing
			if found, err := w.Directory.Deleted(t.Context(), asked); err != nil || len(found) != 10 {
				t.Fatalf("%d users, %v", len(found), err)
			}
		}
		seen := map[string]int{}
		for _, s := range w.sent.all {
			seen[s.operation(d)]++
			for _, wrong := range s.wrong(d) {
				t.Errorf("%s %s %s: %s", s.method, s.target, s.body, wrong)
			}
		}
		if got := fmt.Sprint(seen); got != "map[GET /api/v2/users:5 POST /api/v2/users/search:2]" {
			t.Errorf("sent %s", got)
		}
	})
}
