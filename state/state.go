package state

import (
	"encoding/json"
	"slices"
	"time"

	"usersyncd/spec"
)

// Observed is what the API last told of one user.
type Observed struct {
	ID      string      `json:"id"`
	Version int         `json:"version"`
	Fields  spec.Fields `json:"fields"` // Fields[spec.State] may also be "deleted"; a field that is absent is unknown
	// Opaque is what the directory must see again to write this user without loss
	// (contacts that no spec manages); nobody else looks inside.
	Opaque json.RawMessage `json:"opaque,omitempty"`
}

// User is all that is known of one Genesys user.
type User struct {
	Observed
	// Applied holds each managed field as it was last written or found equal.
	// It is nil for a user that was never managed.
	Applied spec.Fields `json:"applied,omitempty"`
	Times   Times       `json:"times,omitzero"`
	// CreatedAt is when the account was made by us, in Unix time, as long as a reading may not show all that the organization
	// gives to a new one; 0 otherwise.
	CreatedAt int64 `json:"made,omitempty"`
	// Stale is whether the fields that no listing shows were read so soon after the user was restored that the reading
	// may be of before: they are read again with the next listing.
	Stale bool `json:"stale,omitempty"`

	// Declared is the declaration that the user was last matched to; zero for who never was, or no longer is managed.
	// It is who the user is for us, whatever becomes of the address in Genesys.
	Declared Declaration `json:"declared,omitzero"`
	// FormerKeys are the keys that the user was declared as before, the newest last; at most MaxFormerly.
	FormerKeys []string `json:"formerly,omitempty"`
	// Removed is what was done to the user when nobody declared it any more, deactivate or delete; "" for nothing.
	// Who is declared again is brought back.
	Removed string `json:"removed,omitempty"`
	// Suspended is spec.User.OwnHash of the declaration at the time when somebody else was found to have deactivated
	// or deleted the user; "" for nobody has.
	Suspended string `json:"suspended,omitempty"`
	// Repairs are the fields that were changed back within the last hours, because somebody else had changed them.
	Repairs map[spec.Field]Repair `json:"repairs,omitempty"`
}

// Declaration is where a user is declared.
type Declaration struct {
	Key     string `json:"key"`            // spec.User.Key
	File    string `json:"file,omitempty"` // relative to the tree's root; "" in a record of an older usersyncd
	Ordinal int    `json:"n,omitempty"`    // position among the users of that file, from 1; 0 if it declares one
}

// MaxFormerKeys is how many former keys of a user are remembered.
const MaxFormerKeys = 10

// Redeclare records that the user is declared so from now on.
func (u *User) Redeclare(d Declaration) {
	if old := u.Declared.Key; old != "" && old != d.Key {
		u.FormerKeys = slices.DeleteFunc(slices.Clone(u.FormerKeys), func(key string) bool { return key == old || key == d.Key })
		u.FormerKeys = append(u.FormerKeys[max(0, len(u.FormerKeys)-MaxFormerKeys+1):], old)
	}
	u.Declared = d
}

// Unmanage forgets what was applied and changed back, and as whom the user was declared.
func (u *User) Unmanage() {
	u.Applied, u.Declared, u.FormerKeys, u.Suspended, u.Repairs = nil, Declaration{}, nil, "", nil
}

// Deleted is the state of a user whom the API still knows and no longer lists. No spec has it.
const Deleted = "deleted"

// Key returns the address that the user was last seen with, in the form of spec.User.Key; "" for none.
func (o *Observed) Key() string { return spec.Key(o.Fields[spec.Email].Text()) }

// AppliedKey returns the address last applied, in the form of spec.User.Key; "" for who is not managed.
func (u *User) AppliedKey() string { return spec.Key(u.Applied[spec.Email].Text()) }

// Deleted reports whether the user was deleted when it was last seen.
func (u *User) Deleted() bool { return u.Fields[spec.State].Text() == Deleted }

// Intent says that a user is about to be created; it is cleared by the commit that records the outcome.
type Intent struct {
	Key     string    `json:"key"` // spec.User.Key
	Plan    string    `json:"plan"`
	Started time.Time `json:"started"`
}

// UserFields are some fields of one user.
type UserFields struct {
	ID     string // Genesys id
	Fields []spec.Field
}

// Repair is how often a field of a user was changed back of late: somebody else had changed it.
type Repair struct {
	At    []time.Time   `json:"at"`              // the last times, oldest first; to the second, in UTC
	Pause time.Duration `json:"pause,omitempty"` // after the last of them, in which it is left alone; 0: it is not contested
}

// Failure is a user in quarantine.
type Failure struct {
	Key           string    `json:"key"`     // spec.User.Key
	Desired       string    `json:"desired"` // spec.User.Hash of what was refused; another hash is tried at once
	Attempts      int       `json:"attempts"`
	Next          time.Time `json:"next"` // not tried before
	Status        int       `json:"status,omitempty"`
	Code          string    `json:"code,omitempty"`
	Message       string    `json:"message"`
	CorrelationID string    `json:"correlationId,omitempty"`
}

// Refresh records a complete reading of the organization.
type Refresh struct {
	At     time.Time `json:"at"`
	Listed int       `json:"listed"` // users in the listing
	// Gap is what is missing of the listing, for people; "" if it showed everybody, or as many as the API lists.
	Gap string `json:"gap,omitempty"`
	// HeldIDs are the ids of managed users that it did not show, where they were too many to be believed.
	HeldIDs []string `json:"held,omitempty"`
	// Fields are those that the listing was asked for.
	Fields []spec.Field `json:"fields,omitempty"`
}

// Guards is what the guards against removals by mistake must remember over restarts.
type Guards struct {
	Tallies  []Tally  `json:"done,omitempty"`     // by time
	Released []string `json:"released,omitempty"` // what a person has released and was not done yet, in the pass's own words
	// FirstImport is since when users are created in what was a new organization; zero once a tree was fully applied.
	FirstImport time.Time `json:"firstImport,omitzero"`
}

// Tally counts what was done to users in one minute.
type Tally struct {
	At          time.Time `json:"at"` // to the minute
	Removed     int       `json:"removed,omitempty"`
	Deactivated int       `json:"deactivated,omitempty"`
	Created     int       `json:"created,omitempty"` // and restored, of those whom somebody else had deleted
	Renamed     int       `json:"renamed,omitempty"`
	// Losses counts the users who lost something: by field and name, such as "queues Billing".
	Losses     map[string]int `json:"lost,omitempty"`
	Incomplete bool           `json:"forgotten,omitempty"` // the file was damaged then: there may have been more before
}

// Converged says that a tree was fully applied and nothing known has changed since.
type Converged struct {
	Digest string `json:"digest"` // spec.Tree.Digest, with whatever else the caller makes the answer depend on
	Users  int    `json:"users"`
	// Revision is that of the tree. It is remembered as Applied when the mark is gone.
	Revision string `json:"revision,omitempty"`
}

// Applied is the last tree that was fully applied.
type Applied struct {
	Revision string    `json:"revision"`
	At       time.Time `json:"at"`
	// RolledBack is whether a rollback has taken some of it, or of a tree before it, back since.
	RolledBack bool `json:"undone,omitempty"`
}

// Pause is a person's wish that nothing is changed for a while.
type Pause struct {
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// Event is one write to one user, as the API has confirmed it.
type Event struct {
	At       time.Time    `json:"at"`
	Revision string       `json:"revision"` // of the checkout that asked for it
	Plan     string       `json:"plan"`
	ID       string       `json:"id"`    // Genesys id
	Email    string       `json:"email"` // as declared: spec.User.Key
	Action   string       `json:"action"`
	Cause    string       `json:"cause"`
	Fields   []FieldEvent `json:"fields"`
	// CorrelationID is what the vendor's support asks for; "" if nobody knows which answer it was.
	CorrelationID string `json:"correlationId,omitempty"`
	// Uncertain is whether the answer was lost, and nobody knows whether it was done or, if a look shows that it
	// was, by whom.
	Uncertain bool `json:"uncertain,omitempty"`
	// RollbackOf is, of a rollback, what is undone: a revision, or since when.
	RollbackOf string `json:"undoes,omitempty"`
}

// FieldEvent is one field of an event. Before is "" where it was not known.
type FieldEvent struct {
	Field  spec.Field `json:"field"`
	Before spec.Value `json:"before"`
	After  spec.Value `json:"after"`
	Cause  string     `json:"cause,omitempty"` // if it is not the event's
}

// Org is the organization that a state file belongs to.
type Org struct {
	API string `json:"api"` // base URL
	ID  string `json:"id"`  // "" where it could not be read
}

// Snapshot is everything the store holds, decoded.
type Snapshot struct {
	Users   map[string]*User  // by Genesys id
	Intents map[string]Intent // by key
	// Writes are the fields that a call may have written of which no commit says what came of it, by Genesys id: what
	// is known of them may be of before. Each event is of one field, and is what the history tells if it was done;
	// its time is when there was no answer yet.
	Writes   map[string]map[spec.Field]Event
	Failures map[string]Failure // by key
	Guards   Guards
	Releases []string // ids of plans: what they hold was asked to be released, see Release
	Checkout string   // identity of the checkout whose specs were applied; "" before there was one
	Refresh  Refresh  // zero: never, or the file was rebuilt since
	Rebuilt  bool     // a damaged file was set aside, and there was no refresh since
	Damaged  int      // records and pages that were lost with it
}

// Commit is what one completed call changes. It is applied whole or not at all, and what is taken
// away goes before what is put. A commit that has Users, Forget, Intents, Writes or Failures and no Converged
// clears the Converged mark; one that has a Refresh clears Rebuilt and Damaged.
type Commit struct {
	Users         []*User
	Forget        []string // Genesys ids
	Intents       []Intent
	ClearIntents  []string     // keys whose intent is cleared
	Writes        []Event      // that are about to be made: of each field an intent, in place of the one that there is
	ClearWrites   []UserFields // whose intents are cleared
	Failures      []Failure
	ClearFailures []string // keys that leave quarantine
	Guards        *Guards  // replaces what was remembered
	Refresh       *Refresh
	Converged     *Converged
	Events        []Event // added to the history
	Checkout      string  // replaces the one that is remembered, if it is not ""
	RolledBack    bool    // some of what was last fully applied is being taken back
	Pause         *Pause  // replaces the one that is; the zero value ends it

	AddReleases   []string // ids of what guards hold, which a person asks the next pass to release
	ClearReleases []string // of those, the ones that were dealt with
}
