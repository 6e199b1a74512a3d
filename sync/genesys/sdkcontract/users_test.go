package sdkcontract

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/genesys/sim"
)

// expansions are those that usersyncd asks for, and the others that the simulator has.
var expansions = []string{"skills", "languages", "locations", "profileSkills", "certifications", "employerInfo", "groups", "biography", "authorization"}

// is compares a user of the SDK's with one that is stored; expanded says whether it was asked for everything.
func (w *org) is(have sdk.User, want sim.User, expanded bool) {
	w.Helper()
	who := want.Email
	for name, pair := range map[string][2]string{
		"id": {val(have.Id), want.ID}, "email": {val(have.Email), want.Email}, "name": {val(have.Name), want.Name}, "state": {val(have.State), want.State},
		"title": {val(have.Title), want.Title}, "department": {val(have.Department), want.Department}, "preferredName": {val(have.PreferredName), want.PreferredName},
		"division": {val(val(have.Division).Id), want.Division}, "division's name": {val(val(have.Division).Name), w.NameOf(sim.Division, want.Division)},
		"manager": {val(val(val(have.Manager)).Id), want.Manager}, "selfUri": {val(have.SelfUri), "/api/v2/users/" + want.ID},
	} {
		same(w, who+": "+name, pair[0], pair[1])
	}
	same(w, who+": version", val(have.Version), want.Version)
	same(w, who+": acdAutoAnswer", have.AcdAutoAnswer, &want.ACDAutoAnswer)
	same(w, who+": addresses", texts(have.Addresses, func(c sdk.Contact) *string { return c.VarType }), kindsOf(want.Contacts))
	for i, c := range val(have.Addresses) {
		same(w, who+": medium", val(c.MediaType), want.Contacts[i].MediaType)
		same(w, who+": extension", val(c.Extension), shownExtension(want.Contacts[i]))
	}
	if !expanded {
		if have.Skills != nil || have.Languages != nil || have.Groups != nil || have.Certifications != nil || have.EmployerInfo != nil || have.Locations != nil {
			w.Errorf("%s: something is there that was not asked for", who)
		}
		return
	}
	same(w, who+": certifications", val(have.Certifications), want.Certifications)
	same(w, who+": profile skills", val(have.ProfileSkills), want.ProfileSkills)
	e := val(have.EmployerInfo)
	same(w, who+": employer", sim.Employer{OfficialName: val(e.OfficialName), EmployeeID: val(e.EmployeeId), EmployeeType: val(e.EmployeeType), DateHire: val(e.DateHire)}, want.Employer)
	same(w, who+": biography", val(val(have.Biography).Biography), want.Biography)
	skills, languages := map[string]float64{}, map[string]float64{}
	for _, s := range val(have.Skills) {
		skills[val(s.Id)] = val(s.Proficiency)
		same(w, who+": skill", val(s.Name), w.NameOf(sim.Skill, val(s.Id)))
	}
	for _, l := range val(have.Languages) {
		languages[val(l.Id)] = val(l.Proficiency)
	}
	same(w, who+": skills", skills, want.Skills)
	same(w, who+": languages", languages, want.Languages)
	places := []sim.Place{}
	for _, l := range val(have.Locations) {
		places = append(places, sim.Place{ID: val(val(l.LocationDefinition).Id), Notes: val(l.Notes)})
	}
	same(w, who+": locations", places, append([]sim.Place{}, want.Locations...))
	for _, g := range val(have.Groups) {
		if !slices.Contains(w.Members(sim.Group, val(g.Id)), want.ID) {
			w.Errorf("%s is no member of %s", who, val(g.Name))
		}
	}
	if len(val(have.Groups)) == 0 || (len(val(val(have.Authorization).Roles)) == 0) == (want.State == "active") {
		w.Errorf("%s: no groups, or no roles although active, or some although not", who)
	}
}

func kindsOf(contacts []sim.Contact) []string {
	out := []string{}
	for _, c := range contacts {
		out = append(out, c.Type)
	}
	return out
}

// shownExtension: one that belongs to no pool is shown in display alone.
func shownExtension(c sim.Contact) string {
	if c.Extension != "" && !c.Pooled && c.Address == "" {
		return ""
	}
	return c.Extension
}

func TestReadUsers(t *testing.T) {
	w := newOrg(t)
	byID := map[string]sim.User{}
	for _, u := range w.Users() {
		byID[u.ID] = u
	}
	seen := 0
	for _, state := range []string{"active", "inactive", "deleted"} {
		for n, pages := 1, 1; n <= pages; n++ {
			p, r, err := w.users.GetUsers(10, n, nil, nil, "", expansions, "", nil, state)
			listing := shows(w, p, r, err)
			pages = val(listing.PageCount)
			same(w, "page", []int{val(listing.PageSize), val(listing.PageNumber)}, []int{10, n})
			for _, u := range val(listing.Entities) {
				same(w, "state", val(u.State), state)
				w.is(u, byID[val(u.Id)], true)
				seen++
			}
		}
	}
	same(w, "users", seen, len(byID))

	u, r, err := w.users.GetUser(w.member().ID, nil, "", nil, "")
	w.is(*shows(w, u, r, err), w.member(), false)
	u, r, err = w.users.GetUser(w.member().ID, expansions, "", nil, "")
	w.is(*shows(w, u, r, err), w.member(), true)

	query, r, err := w.users.GetUsersQuery("", 25, "", expansions, "", nil, "active")
	first := shows(w, query, r, err)
	query, r, err = w.users.GetUsersQuery(val(first.Cursor), 25, "", nil, "", nil, "active")
	same(w, "users by cursor", len(val(first.Entities))+len(val(shows(w, query, r, err).Entities)), 27)

	bad, r, err := w.users.GetUser("nobody", nil, "", nil, "")
	if text := w.refused(404, r, err); bad != nil || !strings.HasPrefix(text, "not.found: ") {
		t.Errorf("%v, %s", bad, text)
	}
}

func TestSearchUsers(t *testing.T) {
	w := newOrg(t)
	u, exact := w.member(), "EXACT"
	p, r, err := w.users.PostUsersSearch(sdk.Usersearchrequest{PageSize: new(25), PageNumber: new(1), Query: &[]sdk.Usersearchcriteria{
		{VarType: &exact, Fields: &[]string{"email"}, Value: &u.Email},
		{VarType: &exact, Fields: &[]string{"state"}, Values: &[]string{"active", "inactive", "deleted"}},
	}})
	found := shows(w, p, r, err)
	if same(w, "hits", val(found.Total), 1); len(val(found.Results)) == 1 {
		w.is(val(found.Results)[0], u, false)
	}
}

func TestCreateUser(t *testing.T) {
	w := newOrg(t)
	division := w.IDOf(sim.Division, "EMEA")
	body := sdk.Createuser{Name: new("New One"), Email: new("new.one@example.com"), State: new("active"), Title: new("Agent"), Department: new("Sales"),
		DivisionId: &division, Addresses: &[]sdk.Contact{{MediaType: new("PHONE"), VarType: new("WORK"), Address: new("+34600000001")}}}
	u, r, err := w.users.PostUsers(body)
	created := shows(w, u, r, err)
	stored, _ := w.User("new.one@example.com")
	w.is(*created, stored, false)
	same(w, "created", []string{stored.Title, stored.Department, stored.Division, stored.State}, []string{"Agent", "Sales", division, "active"})

	_, r, err = w.users.PostUsers(body)
	if text := w.refused(409, r, err); !strings.HasPrefix(text, "general.conflict: ") {
		t.Errorf("an address twice: %s", text)
	}
}

func TestPatchUser(t *testing.T) {
	w := newOrg(t)
	was := w.member()
	boss, place := w.Users()[1].ID, w.IDOf(sim.Location, "Berlin")
	u, r, err := w.users.PatchUser(was.ID, sdk.Updateuser{Version: &was.Version, Name: new("Other"), Email: new("other@example.com"), Title: new(""),
		Department: new("Back office"), PreferredName: new("Oth"), Manager: &boss, AcdAutoAnswer: new(true), Certifications: &[]string{"PCI"},
		EmployerInfo: &sdk.Employerinfo{OfficialName: new("Other Name"), EmployeeId: new("7"), EmployeeType: new("Contractor"), DateHire: new("2024-03-01")},
		Addresses:    &[]sdk.Contact{{MediaType: new("EMAIL"), VarType: new("HOME"), Address: new("me@home.example")}},
		Locations:    &[]sdk.Location{{Id: &place, Notes: new("4th floor")}}})
	stored := w.now(was)
	w.is(*shows(w, u, r, err), stored, false)
	u, r, err = w.users.GetUser(was.ID, expansions, "", nil, "")
	w.is(*shows(w, u, r, err), stored, true)
	same(w, "locations", stored.Locations, []sim.Place{{ID: place, Notes: "4th floor"}})
	same(w, "texts", []string{stored.Name, stored.Email, stored.Title, stored.PreferredName, stored.Manager}, []string{"Other", "other@example.com", "", "Oth", boss})

	for _, status := range []int{400, 409} { // as the API, by turns
		_, r, err = w.users.PatchUser(was.ID, sdk.Updateuser{Version: &was.Version, Name: new("Late")})
		w.refused(status, r, err)
	}
	u, r, err = w.users.PatchUser(was.ID, sdk.Updateuser{Version: &stored.Version, State: new("inactive")})
	same(w, "state", val(shows(w, u, r, err).State), "inactive")

	page, r, err := w.users.PatchUsersBulk([]sdk.Patchuser{{Id: &was.ID, AcdAutoAnswer: new(false)}, {Id: &boss, AcdAutoAnswer: new(true)}})
	same(w, "bulk", len(val(shows(w, page, r, err).Entities)), 2)
	same(w, "acdAutoAnswer", []bool{w.now(was).ACDAutoAnswer, w.Users()[1].ACDAutoAnswer}, []bool{false, true})
}

func TestDeleteAndRestoreUser(t *testing.T) {
	w := newOrg(t)
	was := w.member()
	empty, r, err := w.users.DeleteUser(was.ID)
	shows(w, empty, r, err)
	same(w, "state", w.now(was).State, "deleted")
	_, r, err = w.users.GetUser(was.ID, nil, "", nil, "")
	w.refused(404, r, err)
	u, r, err := w.users.GetUser(was.ID, nil, "", nil, "deleted")
	version := shows(w, u, r, err).Version
	u, r, err = w.users.PatchUser(was.ID, sdk.Updateuser{Version: version, State: new("active")})
	w.is(*shows(w, u, r, err), w.now(was), false)
}

// Tokens, too many requests and missing permissions are told in the shapes that the SDK reads.
func TestRefusals(t *testing.T) {
	w := newOrg(t)
	if err := w.config.AuthorizeClientCredentials("demo", "wrong"); err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("a wrong secret: %v", err)
	}
	w.Revoke()
	_, r, err := w.users.GetUser(w.member().ID, nil, "", nil, "")
	w.refused(401, r, err)
	if err := w.config.AuthorizeClientCredentials("demo", "demo"); err != nil {
		t.Fatal(err)
	}
	w.SetLimit(1)
	u, r, err := w.users.GetUser(w.member().ID, nil, "", nil, "")
	shows(w, u, r, err)
	if _, r, err := w.users.GetUser(w.member().ID, nil, "", nil, ""); err == nil || r != nil {
		t.Errorf("the SDK shows a 429 now: %v, %v", r, err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.config.BasePath+"/api/v2/users", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.config.AccessToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if wrong := strictAs[sdk.Errorbody](body); err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" || len(wrong) > 0 {
		t.Errorf("%s %v %s %v %q", resp.Status, resp.Header, body, err, wrong)
	}
}
