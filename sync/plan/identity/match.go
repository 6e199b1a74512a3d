package identity

import (
	"fmt"
	"slices"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

// maxLookups is how many unknown pinned ids are looked up at most. If there are more, the organization is the wrong one.
const maxLookups = 50

// Input is what users are matched by.
type Input struct {
	Users         []*spec.User // declared
	Index         *Index       // of all known users; Match sets RenamedTo
	Incomplete    bool         // the tree has problems: some specs are missing
	NameUnmanaged bool         // names are not managed

	LookedUp map[string]bool  // pinned ids that were looked up
	Searched map[string]error // addresses that were looked up: why they could not be, nil for those that were
}

// Matches are the known users of the declared ones.
type Matches struct {
	Declared  map[string]*spec.User  // by key
	Accounts  map[string]*state.User // by key of the declared user
	OwnerOf   map[string]string      // Genesys id -> key of the declared user
	Doubts    map[string]string      // by key: why the account may be another person's
	Ambiguous map[string]bool        // keys of users that were not matched, as it is not known which account is meant
	Problems  []Problem              // why

	IDs    []string        // to be looked up: pinned ids of users that are not known
	Emails map[string]bool // to be looked up: former addresses of users that no listing shows, deleted ones

	places map[place]*state.User // by where they were last declared
}

// A Problem is an error in a field of a user's spec.
type Problem struct {
	User    *spec.User
	Field   spec.Field
	Message string
}

// DeclaredAt returns the known user that was last declared at the place of a spec; nil if there is none.
func (m *Matches) DeclaredAt(u *spec.User) *state.User { return m.places[placeOfSpec(u)] }

// A matcher carries out Match.
type matcher struct {
	Input
	*Matches
	recorded       map[string]*state.User   // by the key they were last declared as
	duplicates     map[string][]*state.User // the other users that were declared so
	formerKeys     map[string]bool          // keys that any user was declared as before
	recognizable   map[string]*state.User   // by the keys of recognize
	newSpecs       map[string]*spec.User    // by the keys of renamedSpec
	withoutAccount []*spec.User             // specs that no user is known for; see mayBeReplaced
}

// Match finds the known user of each declared one, in this order. A user that an earlier step has matched is not available to
// a later one:
//
//  1. a pinned id;
//  2. a former address, unless that rename is done: the user that was declared by it, else the one that has it;
//  3. the record: the user that was last matched to a declaration by this address, whatever its address is now;
//  4. the address.
func Match(in Input) *Matches {
	m := &matcher{Input: in, formerKeys: map[string]bool{}, Matches: &Matches{
		Declared: make(map[string]*spec.User, len(in.Users)), Accounts: make(map[string]*state.User, len(in.Users)),
		OwnerOf: map[string]string{}, Doubts: map[string]string{}, Ambiguous: map[string]bool{}, Emails: map[string]bool{},
	}}
	for _, u := range in.Users {
		m.Declared[u.Key] = u
	}
	m.recorded, m.duplicates, m.places = byDeclaration(in.Index.ByID)
	for _, u := range in.Index.ByID {
		for _, key := range u.FormerKeys {
			m.formerKeys[key] = true
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

// byDeclaration indexes users by the key and the place of their last declaration. duplicates are the others with a key, the
// preferred one last: an address that the API refused may have been declared for two users.
func byDeclaration(users map[string]*state.User) (byKey map[string]*state.User, duplicates map[string][]*state.User, byPlace map[place]*state.User) {
	byKey, duplicates, byPlace = make(map[string]*state.User, len(users)), map[string][]*state.User{}, make(map[place]*state.User, len(users))
	for _, u := range users {
		d := u.Declared
		if d.File != "" && preferred(u, byPlace[placeOf(d)]) {
			byPlace[placeOf(d)] = u
		}
		if old := byKey[d.Key]; d.Key != "" {
			if preferred(u, old) {
				byKey[d.Key], u = u, old
			}
			if u != nil {
				duplicates[d.Key] = append(duplicates[d.Key], u)
			}
		}
	}
	for _, list := range duplicates {
		slices.SortFunc(list, func(a, b *state.User) int {
			if preferred(a, b) {
				return 1
			}
			return -1
		})
	}
	return byKey, duplicates, byPlace
}

func (m *matcher) unmatched(u *spec.User) bool {
	return m.Accounts[u.Key] == nil && u.ID == "" && !m.Ambiguous[u.Key]
}

// reject leaves out a user, as it is not known which account is meant.
func (m *matcher) reject(u *spec.User, f spec.Field, message string) {
	m.Ambiguous[u.Key] = true
	m.Problems = append(m.Problems, Problem{u, f, message})
}

func (m *matcher) claim(u *spec.User, cur *state.User) {
	if other, taken := m.OwnerOf[cur.ID]; taken {
		m.reject(u, spec.Email, fmt.Sprintf("is the same Genesys user (%s) as %s, declared at %s; remove one of them", cur.ID, other, m.Declared[other].Pos))
		return
	}
	m.OwnerOf[cur.ID], m.Accounts[u.Key], m.Index.RenamedTo[u.Key] = u.Key, cur, cur.ID
	key := cur.Declared.Key
	if list := m.duplicates[key]; len(list) > 0 && m.recorded[key] == cur { // the key is now the record of another user
		m.recorded[key], m.duplicates[key] = list[len(list)-1], list[:len(list)-1]
	}
}

// matchIDs matches the specs with a pinned id. Two specs for one account are both rejected.
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
		case cur == nil && !m.LookedUp[u.ID] && len(m.LookedUp)+len(m.IDs) < maxLookups:
			m.IDs = append(m.IDs, u.ID) // no listing shows deleted users
			m.Ambiguous[u.Key] = true
			continue
		case cur == nil:
			m.reject(u, "id", fmt.Sprintf("no user of this organization has the id %s; correct it, or leave it out to find the user by address", spec.Text(u.ID).Display()))
			continue
		case len(pinned[u.ID]) > 1:
			other := pinned[u.ID][0]
			if other == u {
				other = pinned[u.ID][1]
			}
			m.rejectSameAccount(u, other, cur)
			continue
		}
		if other := m.otherSpec(u, cur); other != nil {
			m.rejectSameAccount(u, other, cur)
			m.rejectSameAccount(other, u, cur)
			continue
		}
		m.claim(u, cur)
		if looksCopied(u, cur) {
			m.Doubts[u.Key] = fmt.Sprintf("%s: id %s is that of %s (%s), with another name and address: "+
				"remove the id if the spec was copied, or add previousEmail: %s if it is the same person",
				u.Pos, cur.ID, text.Escape(cur.Key()), cur.Fields.Get(spec.Name).Display(), text.Escape(cur.Key()))
		}
	}
}

// otherSpec returns another spec that declares a pinned account, by record or address. The spec of a new user at the former
// address of a renamed one does not: it has another name, or a former address of its own. If the spec with the id has another
// employee id than the account, it is a copy.
func (m *matcher) otherSpec(u *spec.User, cur *state.User) *spec.User {
	for _, key := range []string{cur.Declared.Key, cur.Key()} {
		other := m.Declared[key]
		if other != nil && other != u && other.ID == "" && len(other.PreviousEmails) == 0 && (looksCopied(u, cur) || differentEmployee(u, cur) || other.Fields.Get(spec.Name) == "" || other.Fields.Get(spec.Name) == cur.Fields.Get(spec.Name)) {
			return other
		}
	}
	return nil
}

// rejectSameAccount rejects a spec that declares the same account as another one. The account is not removed either.
func (m *matcher) rejectSameAccount(u, other *spec.User, cur *state.User) {
	m.OwnerOf[cur.ID] = u.Key
	if !m.Ambiguous[u.Key] {
		m.reject(u, "id", fmt.Sprintf("is the same Genesys user (%s) as %s, declared at %s; remove the id from one of them", cur.ID, text.Escape(other.Key), other.Pos))
	}
}

// looksCopied reports whether a spec seems to be a copy of another user's that still has the id: name and addresses are
// different from the account's.
func looksCopied(u *spec.User, cur *state.User) bool {
	return cur.Key() != u.Key && cur.Declared.Key != u.Key && DifferentName(u, cur) &&
		!slices.Contains(u.PreviousEmails, cur.Key()) && !slices.Contains(u.PreviousEmails, cur.Declared.Key)
}
