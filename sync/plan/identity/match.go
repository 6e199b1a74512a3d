package identity

import (
	"fmt"
	"slices"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

// mostLooked is how many pinned ids of nobody known are looked up. More of them are a wrong organization.
const mostLooked = 50

// Input is what the users are matched by.
type Input struct {
	Users         []*spec.User // declared
	Index         *Index       // of all known users; who is matched is about to get the declared address
	Incomplete    bool         // the tree has problems: some specs are left out
	NameUnmanaged bool         // names are somebody else's

	LookedUp map[string]bool  // pinned ids that were looked up
	Searched map[string]error // addresses that were looked up: why they could not be, nil for those that were
}

// Matches says who the declared users are.
type Matches struct {
	Declared  map[string]*spec.User  // by key
	Accounts  map[string]*state.User // by key of the declared user
	OwnerOf   map[string]string      // Genesys id -> key of the declared user behind it
	Doubts    map[string]string      // by key: why the account may be somebody else's
	Ambiguous map[string]bool        // keys of users of whom it is not known which account is meant
	Problems  []Problem              // why it is not known

	IDs    []string        // to be looked up: pinned ones, of users who are not known
	Emails map[string]bool // to be looked up: former addresses of users whom no listing shows, deleted ones

	places map[place]*state.User // by where they were last declared
}

// A Problem is what is wrong with a field of a user's spec.
type Problem struct {
	User    *spec.User
	Field   spec.Field
	Message string
}

// DeclaredAt returns the known user who was last declared at the place of a spec; nil if there is none.
func (m *Matches) DeclaredAt(u *spec.User) *state.User { return m.places[at(u)] }

// A matcher is a match under way.
type matcher struct {
	Input
	*Matches
	recorded  map[string]*state.User   // by the key they were last declared as
	doubles   map[string][]*state.User // the others who were declared so
	formerly  map[string]bool          // keys that somebody was declared as before
	known     map[string]*state.User   // by what they can be recognized by; see recognized
	newcomers map[string]*spec.User    // by what they can be recognized by; see lookalike
	unknown   []*spec.User             // for whom nobody is known; see replaced
}

// Match finds the known user behind each declared one. In this order, and whom an earlier step has claimed is not
// there for a later one:
//
//  1. a pinned id;
//  2. a former address, unless that rename is done: whoever was declared by it, else whoever has it;
//  3. the record: whoever was last matched to a declaration by this address, whatever its address is by now;
//  4. the address.
func Match(in Input) *Matches {
	m := &matcher{Input: in, formerly: map[string]bool{}, Matches: &Matches{
		Declared: make(map[string]*spec.User, len(in.Users)), Accounts: make(map[string]*state.User, len(in.Users)),
		OwnerOf: map[string]string{}, Doubts: map[string]string{}, Ambiguous: map[string]bool{}, Emails: map[string]bool{},
	}}
	for _, u := range in.Users {
		m.Declared[u.Key] = u
	}
	m.recorded, m.doubles, m.places = byDeclaration(in.Index.ByID)
	for _, u := range in.Index.ByID {
		for _, key := range u.FormerKeys {
			m.formerly[key] = true
		}
	}
	m.matchIDs()
	for _, step := range []func(*spec.User){m.matchFormer, m.matchRecord, m.matchAddress} {
		for _, u := range in.Users {
			if m.unmatched(u) {
				step(u)
			}
		}
	}
	return m.Matches
}

// byDeclaration indexes users by the key and by the place that they were last declared at. Of several the one who is not
// deleted counts, then the one with the greater id, so that a plan does not depend on the order of a map. doubles are the
// others with a key, the best last: an address that was refused may have been declared for two.
func byDeclaration(users map[string]*state.User) (byKey map[string]*state.User, doubles map[string][]*state.User, byPlace map[place]*state.User) {
	byKey, doubles, byPlace = make(map[string]*state.User, len(users)), map[string][]*state.User{}, make(map[place]*state.User, len(users))
	better := func(u, old *state.User) bool {
		return old == nil || old.Deleted() && !u.Deleted() || old.Deleted() == u.Deleted() && u.ID > old.ID
	}
	for _, u := range users {
		d := u.Declared
		if old := byKey[d.Key]; d.Key != "" {
			if better(u, old) {
				byKey[d.Key], u = u, old
			}
			if u != nil {
				doubles[d.Key] = append(doubles[d.Key], u)
			}
		}
	}
	for _, u := range users {
		if d := u.Declared; d.File != "" && better(u, byPlace[placeOf(d)]) {
			byPlace[placeOf(d)] = u
		}
	}
	for _, list := range doubles {
		slices.SortFunc(list, func(a, b *state.User) int {
			if better(a, b) {
				return 1
			}
			return -1
		})
	}
	return byKey, doubles, byPlace
}

func (m *matcher) unmatched(u *spec.User) bool {
	return m.Accounts[u.Key] == nil && u.ID == "" && !m.Ambiguous[u.Key]
}

// unclear leaves a user out of whom it is not known which account is meant.
func (m *matcher) unclear(u *spec.User, f spec.Field, message string) {
	m.Ambiguous[u.Key] = true
	m.Problems = append(m.Problems, Problem{u, f, message})
}

func (m *matcher) claim(u *spec.User, cur *state.User) {
	if other, taken := m.OwnerOf[cur.ID]; taken {
		m.unclear(u, spec.Email, fmt.Sprintf("is the same Genesys user (%s) as %s, declared at %s; keep one of them", cur.ID, other, m.Declared[other].Pos))
		return
	}
	m.OwnerOf[cur.ID], m.Accounts[u.Key], m.Index.RenamedTo[u.Key] = u.Key, cur, cur.ID
	key := cur.Declared.Key
	if list := m.doubles[key]; len(list) > 0 && m.recorded[key] == cur { // then it is another one's, who was declared so, too
		m.recorded[key], m.doubles[key] = list[len(list)-1], list[:len(list)-1]
	}
}

// matchIDs claims the users who are pinned by id. Two specs that name one account are both wrong: which of them is
// meant nobody can tell.
func (m *matcher) matchIDs() {
	pinned := map[string][]*spec.User{}
	for _, u := range m.Users {
		if u.ID != "" {
			pinned[u.ID] = append(pinned[u.ID], u)
		}
	}
	for _, u := range m.Users {
		if u.ID == "" {
			continue
		}
		cur := m.Index.ByID[u.ID]
		switch {
		case cur == nil && !m.LookedUp[u.ID] && len(m.IDs) < mostLooked:
			m.IDs = append(m.IDs, u.ID) // no listing shows who was deleted
			m.Ambiguous[u.Key] = true
			continue
		case cur == nil:
			m.unclear(u, "id", fmt.Sprintf("no user of this organization has the id %s; correct it, or leave it out to find the user by address", spec.Text(u.ID).Display()))
			continue
		case len(pinned[u.ID]) > 1:
			other := pinned[u.ID][0]
			if other == u {
				other = pinned[u.ID][1]
			}
			m.sameAccount(u, other, cur)
			continue
		}
		if other := m.rival(u, cur); other != nil {
			m.sameAccount(u, other, cur)
			m.sameAccount(other, u, cur)
			continue
		}
		m.claim(u, cur)
		if copied(u, cur) {
			m.Doubts[u.Key] = fmt.Sprintf("%s: id %s is that of %s (%s), whose name and address are others: "+
				"leave the id out if the spec was copied, or add previousEmail: %s if it is the same person",
				u.Pos, cur.ID, text.Escape(cur.Key()), cur.Fields[spec.Name].Display(), text.Escape(cur.Key()))
		}
	}
}

// rival returns another spec that declares a pinned account, by record or address. A hire at the address of a user who
// is renamed is none: the name, or a former address of its own, tells. An employee id that is not the account's tells that
// the spec with the id is a copy.
func (m *matcher) rival(u *spec.User, cur *state.User) *spec.User {
	for _, key := range []string{cur.Declared.Key, cur.Key()} {
		other := m.Declared[key]
		if other != nil && other != u && other.ID == "" && len(other.PreviousEmails) == 0 && (copied(u, cur) || otherEmployee(u, cur) || other.Fields[spec.Name] == "" || other.Fields[spec.Name] == cur.Fields[spec.Name]) {
			return other
		}
	}
	return nil
}

// sameAccount says that two specs declare one account. It is claimed for neither, and removed for none.
func (m *matcher) sameAccount(u, other *spec.User, cur *state.User) {
	m.OwnerOf[cur.ID] = u.Key
	if !m.Ambiguous[u.Key] {
		m.unclear(u, "id", fmt.Sprintf("is the same Genesys user (%s) as %s, declared at %s; keep the id in one of them", cur.ID, text.Escape(other.Key), other.Pos))
	}
}

// copied reports whether a spec seems to be a copy of another user's, with the id left in: everything that would tell
// that the account is meant is different.
func copied(u *spec.User, cur *state.User) bool {
	return cur.Key() != u.Key && cur.Declared.Key != u.Key && DifferentName(u, cur) &&
		!slices.Contains(u.PreviousEmails, cur.Key()) && !slices.Contains(u.PreviousEmails, cur.Declared.Key)
}
