package state

import (
	"encoding/json"
	"slices"
	"time"

	"usersyncd/spec"
)

// Observed is what the API last returned for one user.
type Observed struct {
	ID      string
	Version int
	Fields  spec.Fields // spec.State may also be "deleted"; a field that is absent is unknown
	// Opaque is what the directory needs to write this user without loss (contacts that no spec manages). Only the directory
	// interprets it.
	Opaque json.RawMessage
}

// User is what is known of one Genesys user. Fields and LastApplied are replaced, never changed: they may be the memory of a
// declaration, or each other's.
type User struct {
	Observed
	// LastApplied has each managed field as it was last written or found equal. It is nil for a user that was never managed.
	LastApplied spec.Fields
	Times       Times
	// CreatedAt is when usersyncd created the account, in Unix time, as long as a reading may lack what the organization
	// assigns to every new user; 0 otherwise.
	CreatedAt int64
	// Stale is whether the fields that no listing shows were read so soon after the user was restored that the values may
	// be older than that: they are read again with the next listing.
	Stale bool

	// Declared is the declaration that the user was last matched to; zero for a user that never was, or is no longer
	// managed. It identifies the user even when the address is changed in Genesys.
	Declared Declaration
	// FormerKeys are earlier values of Declared.Key, the newest last; at most MaxFormerKeys.
	FormerKeys []string
	// Removed is what was done to the user when it was no longer declared: deactivate or delete; "" for nothing. If it is
	// declared again, that is reverted.
	Removed string
	// Suspended is spec.User.OwnHash of the declaration at the time when somebody else was found to have deactivated or
	// deleted the user; "" if nobody has.
	Suspended string
	// Repairs are the fields that were changed back within the last hours, because somebody else had changed them.
	Repairs map[spec.Field]Repair
}

// Declaration is where a user is declared.
type Declaration struct {
	Key     string `json:"key"`            // spec.User.Key
	File    string `json:"file,omitempty"` // relative to the tree's root; "" in a record of an older usersyncd
	Ordinal int    `json:"n,omitempty"`    // position among the users of that file, from 1; 0 if it declares one
}

// MaxFormerKeys is how many former keys of a user are recorded.
const MaxFormerKeys = 10

// Redeclare records that the user is now declared so.
func (u *User) Redeclare(d Declaration) {
	if old := u.Declared.Key; old != "" && old != d.Key {
		u.FormerKeys = slices.DeleteFunc(slices.Clone(u.FormerKeys), func(key string) bool { return key == old || key == d.Key })
		u.FormerKeys = append(u.FormerKeys[max(0, len(u.FormerKeys)-MaxFormerKeys+1):], old)
	}
	u.Declared = d
}

// Unmanage clears what is known only of managed users.
func (u *User) Unmanage() {
	u.LastApplied, u.Declared, u.FormerKeys, u.Suspended, u.Repairs = nil, Declaration{}, nil, "", nil
}

// Deleted is the state of a user that the API still knows and no longer lists. No spec has it.
const Deleted = "deleted"

// Deleted reports whether the user was deleted when it was last observed.
func (o *Observed) Deleted() bool { return o.Fields.Get(spec.State).Text() == Deleted }

// Key returns the observed address, in the form of spec.User.Key; "" for none.
func (o *Observed) Key() string { return spec.Key(o.Fields.Get(spec.Email).Text()) }

// AppliedKey returns the address last applied, in the form of spec.User.Key; "" for a user that is not managed.
func (u *User) AppliedKey() string { return spec.Key(u.LastApplied.Get(spec.Email).Text()) }

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

// Repair is how often a field of a user was recently changed back, because somebody else had changed it.
type Repair struct {
	At    []time.Time   `json:"at"`              // the last times, oldest first; to the second, in UTC
	Pause time.Duration `json:"pause,omitempty"` // after the last of them, in which it is not changed back; 0: it is not contested
	Found spec.Value    `json:"found,omitempty"` // what it was last changed back from
	Times int           `json:"times,omitempty"` // how often it was changed back from that, one time after the other
}

// Failure is a user in quarantine.
type Failure struct {
	Key           string    `json:"key"`     // spec.User.Key
	Desired       string    `json:"desired"` // spec.User.Hash of what failed; another hash is tried at once
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
	// Gap says for people what the listing lacks; "" if it had every user, or as many as the API lists.
	Gap string `json:"gap,omitempty"`
	// HeldIDs are the managed users that the listing did not have, if they were too many to be plausible.
	HeldIDs []string `json:"held,omitempty"`
	// Fields are those that were requested with the listing.
	Fields []spec.Field `json:"fields,omitempty"`
}

// Guards is what the guards remember between passes.
type Guards struct {
	Tallies  []Tally  `json:"done,omitempty"`     // by time
	Released []string `json:"released,omitempty"` // what a person has released and was not done yet, as sorted tokens of package plan
	// FirstImport is since when users are created in an organization that was new; zero once a tree was fully applied.
	FirstImport time.Time `json:"firstImport,omitzero"`
}

// Tally counts what was done to users in one minute.
type Tally struct {
	At          time.Time `json:"at"` // to the minute
	Removed     int       `json:"removed,omitempty"`
	Deactivated int       `json:"deactivated,omitempty"`
	Created     int       `json:"created,omitempty"` // and restored, of those whom somebody else had deleted
	Renamed     int       `json:"renamed,omitempty"`
	// Losses counts the users who lost something, by field and name, such as "queues Billing".
	Losses     map[string]int `json:"lost,omitempty"`
	Incomplete bool           `json:"forgotten,omitempty"` // the file was damaged then: more may have been done before
}

// Converged says that a tree was fully applied and nothing known has changed since.
type Converged struct {
	Digest string `json:"digest"` // spec.Tree.Digest, and whatever else the caller makes it depend on
	Users  int    `json:"users"`
	// Revision is that of the tree. It stays as Applied when the mark is cleared.
	Revision string `json:"revision,omitempty"`
}

// AppliedTree is the last tree that was fully applied.
type AppliedTree struct {
	Revision string    `json:"revision"`
	At       time.Time `json:"at"`
	// RolledBack is whether a rollback has since taken back some of it, or of a tree before it.
	RolledBack bool `json:"undone,omitempty"`
}

// Pause is a request of a person to change nothing until it is ended.
type Pause struct {
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	// Rollback is whether a rollback has paused them: the specs still ask for what it has taken back.
	Rollback bool `json:"rollback,omitempty"`
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
	// CorrelationID is what the vendor's support asks for; "" if it is not known which response it was.
	CorrelationID string `json:"correlationId,omitempty"`
	// Uncertain is whether the response was lost, and it is not known whether the write was made or, if a reading shows
	// the values, by whom.
	Uncertain bool `json:"uncertain,omitempty"`
	// RollbackOf is, of a rollback, what is rolled back: a revision, or since when.
	RollbackOf string `json:"undoes,omitempty"`
}

// FieldEvent is one field of an event. Before is "" if it was not known.
type FieldEvent struct {
	Field  spec.Field `json:"field"`
	Before spec.Value `json:"before"`
	After  spec.Value `json:"after"`
	Cause  string     `json:"cause,omitempty"` // if it is not the event's
}

// Org is the organization that a state file belongs to.
type Org struct {
	API string `json:"api"` // base URL
	ID  string `json:"id"`  // "" if it could not be read
}

// Snapshot is everything the store holds, decoded.
type Snapshot struct {
	Users         map[string]*User  // by Genesys id
	CreateIntents map[string]Intent // by key
	// WriteIntents are the fields that a call may have written whose outcome was not recorded, by Genesys id: what is known of
	// them may be outdated. Each event is of one field, and is what the history will have if the write was made; its time
	// is when there was no response yet.
	WriteIntents map[string]map[spec.Field]Event
	Failures     map[string]Failure // by key
	Guards       Guards
	Releases     []string // ids of holds that a person has asked to release
	Checkout     string   // identity of the checkout whose specs were applied; "" if there was none yet
	Refresh      Refresh  // zero: never, or the file was rebuilt since
	Rebuilt      bool     // a damaged file was set aside, and there was no refresh since
	Damaged      int      // records and pages that were lost with it
}

// Commit is what one completed call changes. It is applied completely or not at all; deletions go before writes. A commit
// that has Users, Forget, intents or Failures and no Converged clears the Converged mark; one that has a Refresh
// clears Rebuilt and Damaged.
type Commit struct {
	Users              []*User
	Forget             []string // Genesys ids
	CreateIntents      []Intent
	ClearCreateIntents []string     // keys
	WriteIntents       []Event      // that are about to be made: an intent for each field, which replaces an earlier one
	ClearWriteIntents  []UserFields // whose intents are cleared
	Failures           []Failure
	ClearFailures      []string // keys that leave quarantine
	Guards             *Guards
	Refresh            *Refresh
	Converged          *Converged
	Events             []Event  // added to the history
	Checkout           string   // replaces the recorded one if it is not ""
	RolledBack         bool     // some of what was last fully applied is being rolled back
	Pause              *Pause   // the zero value ends a pause
	AddReleases        []string // ids of holds that a person asks the next pass to release
	ClearReleases      []string // those that were handled
	Pass               []byte   // JSON: how the last pass ended, see Store.LastPass
}
