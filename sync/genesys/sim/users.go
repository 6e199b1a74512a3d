package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A User is one user as the organization stores it.
type User struct {
	ID, Name, Email, State                    string // State: active, inactive, deleted
	Title, Department, PreferredName, Manager string // Manager is a user's id
	Division                                  string
	ACDAutoAnswer                             bool
	Certifications                            []string
	Employer                                  Employer
	Contacts                                  []Contact
	Biography                                 string // nobody's business: it must survive everything
	Version                                   int

	Writes int // requests that changed this user
}

// Employer is EmployerInfo.
type Employer struct {
	OfficialName string `json:"officialName,omitempty"`
	EmployeeID   string `json:"employeeId,omitempty"`
	EmployeeType string `json:"employeeType,omitempty"`
	DateHire     string `json:"dateHire,omitempty"`
}

// A record is a user, what the search index and the listings still show of it, and since when.
type record struct {
	User
	before  *User // nil: it was not there
	changed time.Time
}

// shown is the user as something that lags shows it; nil: not yet.
func (r *record) shown(now time.Time, lag time.Duration) *User {
	if lag > 0 && now.Sub(r.changed) < lag {
		return r.before
	}
	return &r.User
}

// A directory is the users of the organization, in the order in which they were made.
type directory struct {
	order   []*record
	byID    map[string]*record
	byEmail map[string]*record // lower case; deleted users keep their address
}

func newDirectory() directory {
	return directory{byID: map[string]*record{}, byEmail: map[string]*record{}}
}

func (d *directory) add(u User, changed time.Time) *record {
	r := &record{User: u, changed: changed}
	d.order = append(d.order, r)
	d.byID[u.ID], d.byEmail[strings.ToLower(u.Email)] = r, r
	return r
}

// change edits a user and counts its version up. The address must be free.
func (d *directory) change(r *record, now time.Time, edit func(*User)) {
	before := r.clone()
	edit(&r.User)
	r.ID, r.Version = before.ID, before.Version+1
	r.before, r.changed = &before, now
	if old, fresh := strings.ToLower(before.Email), strings.ToLower(r.Email); old != fresh {
		delete(d.byEmail, old)
		d.byEmail[fresh] = r
	}
}

func (r *record) clone() User {
	u := r.User
	u.Certifications, u.Contacts = slices.Clone(u.Certifications), slices.Clone(u.Contacts)
	return u
}

// wireUser is the API's User.
type wireUser struct {
	ID                 string        `json:"id"`
	Name               string        `json:"name"`
	Division           wireRef       `json:"division"`
	Chat               wireChat      `json:"chat"`
	Department         string        `json:"department,omitempty"`
	Email              string        `json:"email"`
	PrimaryContactInfo []wireContact `json:"primaryContactInfo"`
	Addresses          []wireContact `json:"addresses"`
	State              string        `json:"state"`
	Title              string        `json:"title,omitempty"`
	Username           string        `json:"username"`
	PreferredName      string        `json:"preferredName,omitempty"`
	Manager            *wireRef      `json:"manager,omitempty"`
	Version            int           `json:"version"`
	ACDAutoAnswer      bool          `json:"acdAutoAnswer"`
	Certifications     *[]string     `json:"certifications,omitempty"` // on demand
	EmployerInfo       *Employer     `json:"employerInfo,omitempty"`   // on demand
	Biography          *wireBio      `json:"biography,omitempty"`      // on demand
	SelfURI            string        `json:"selfUri"`
}

type wireRef struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	SelfURI string `json:"selfUri,omitempty"`
}

type wireChat struct {
	JabberID string `json:"jabberId"`
}

type wireBio struct {
	Biography string `json:"biography"`
}

func (u *User) wire(expand []string) wireUser {
	self := "/api/v2/users/" + u.ID
	w := wireUser{
		ID: u.ID, Name: u.Name, Division: wireRef{ID: u.Division, Name: "Home"}, Chat: wireChat{u.ID + "@example.orgspan.com"},
		Department: u.Department, Email: u.Email, State: u.State, Title: u.Title, Username: u.Email, PreferredName: u.PreferredName,
		Version: u.Version, ACDAutoAnswer: u.ACDAutoAnswer, SelfURI: self,
		PrimaryContactInfo: []wireContact{{Address: u.Email, MediaType: "EMAIL", Type: "PRIMARY"}},
		Addresses:          []wireContact{},
	}
	for _, c := range u.Contacts {
		w.Addresses = append(w.Addresses, c.wire())
	}
	if u.Manager != "" {
		w.Manager = &wireRef{ID: u.Manager, SelfURI: "/api/v2/users/" + u.Manager}
	}
	if slices.Contains(expand, "certifications") {
		list := append([]string{}, u.Certifications...)
		w.Certifications = &list
	}
	if slices.Contains(expand, "employerInfo") {
		w.EmployerInfo = &u.Employer
	}
	if slices.Contains(expand, "biography") {
		w.Biography = &wireBio{u.Biography}
	}
	return w
}

// expansions are the values that the API's description lists for users.
var expansions = strings.Fields(`routingStatus presence integrationPresence conversationSummary outOfOffice geolocation
	station authorization lasttokenissued authorization.unusedRoles team workPlanBidRanks externalContactsSettings groups
	customAttributes profileSkills certifications locations skills languages languagePreference employerInfo biography
	dateLastLogin dateWelcomeSent`)

// expandOf reads expand, which may be repeated or joined with commas.
func expandOf(req *request) ([]string, *answer) {
	var expand []string
	for _, v := range req.URL.Query()["expand"] {
		for _, e := range strings.Split(v, ",") {
			if !slices.Contains(expansions, e) {
				return nil, badQuery("expand", e)
			}
			expand = append(expand, e)
		}
	}
	return expand, nil
}

func badQuery(name, value string) *answer {
	a := refuse(http.StatusBadRequest, "invalid.query.param.value", "Value [%s] is not valid for query parameter [%s].", value, name)
	return &a
}

// oneOf reads a query parameter that has a list of values; case does not count.
func oneOf(req *request, name, standard string, allowed ...string) (string, *answer) {
	v := req.URL.Query().Get(name)
	if v == "" {
		return standard, nil
	}
	if i := slices.IndexFunc(allowed, func(a string) bool { return strings.EqualFold(a, v) }); i >= 0 {
		return allowed[i], nil
	}
	return "", badQuery(name, v)
}

func (s *Server) getOrganization(*request) answer {
	return answer{status: http.StatusOK, body: struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		SelfURI string `json:"selfUri"`
	}{s.o.OrgID, "Example Contact Centre", "/api/v2/organizations/me"}}
}

func (s *Server) getUser(req *request) answer {
	if a := s.permitted("directory:user:view"); a != nil {
		return *a
	}
	expand, bad := expandOf(req)
	if bad != nil {
		return *bad
	}
	state, bad := oneOf(req, "state", "active", "active", "deleted")
	if bad != nil {
		return *bad
	}
	r := s.dir.byID[req.PathValue("id")]
	// The default shows inactive users, too; only deleted ones must be asked for.
	if r == nil || (r.State == "deleted") != (state == "deleted") || r.before == nil && r.shown(time.Now(), s.o.ReadLag) == nil {
		return notFound()
	}
	return answer{status: http.StatusOK, body: r.wire(expand)}
}

// deleteUser keeps the user, and the address.
func (s *Server) deleteUser(req *request) answer {
	if a := s.permitted("directory:user:delete"); a != nil {
		return *a
	}
	r := s.dir.byID[req.PathValue("id")]
	if r == nil || r.State == "deleted" {
		return refuse(http.StatusNotFound, "user.not.found.on.delete", "User not found on delete.")
	}
	s.dir.change(r, time.Now(), func(u *User) { u.State = "deleted" })
	r.Writes++
	return answer{status: http.StatusOK, body: struct{}{}}
}
