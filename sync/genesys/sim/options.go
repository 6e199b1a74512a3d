package sim

import (
	"net/http"
	"time"
)

// Options describe the organization and how its API behaves. The zero value is a small, healthy
// organization with the documented defaults.
type Options struct {
	Users    int    // made up from Seed
	Inactive int    // how many of them are inactive
	Deleted  int    // further users that were deleted
	Full     bool   // the users made up have every field
	Seed     uint64 // of people and of chance
	OrgID    string

	ClientID, ClientSecret string        // demo, demo
	TokenLife              time.Duration // 24 h; a real client's setting is between 5 min and 48 h
	BadClientStatus        int           // of a token request with wrong credentials: 400 or 401; 400
	MintLimit              int           // tokens a minute and client; 0: no limit
	MintLimitStatus        int           // 429, or 400 as the vendor's provider has met; 429
	Forbid                 string        // permissions that the client lacks, with spaces between them, such as directory:user:edit
	BareToken              bool          // what is told of a token leaves its client's roles out
	Hide                   int           // every n-th user made up is in a division that the client cannot see; 0: none
	HiddenStatus           int           // of a request about such a user: 403 or 404; 403

	Quota     Quota
	Namespace string        // where the organization's limits tell the quota; platform.api
	Latency   time.Duration // of a request, on its way
	Jitter    time.Duration // of an answer, on its way, up to: answers overtake each other
	IndexLag  time.Duration // the search knows users as they were so long ago; 3 s, negative: none
	ReadLag   time.Duration // a listing, too, and a user is not found for so long after the creation

	CatalogLag  time.Duration // the lists of skills, queues and so on, which the API keeps for a minute; 0: none
	GrantLag    time.Duration // reads of grants; 4 s, negative: none
	QueueDelay  time.Duration // until a change of a queue's members is carried out; 0: at once
	PasswordAge time.Duration // how old a password must be before it may be changed; 0: no matter

	CreatedStatus      int    // of POST /users: 200 or 201; 200
	TakenStatus        int    // of POST /users for an address that is taken: 400 or 409; 409
	DeletedFree        bool   // POST /users takes the address of a deleted user, and makes a second account
	RejectMixedState   bool   // a PATCH with state and other fields is 400; otherwise the others are ignored
	AllowUnknownFields bool   // a body may have fields that the API does not know
	KeepRights         bool   // an inactive or deleted user loses neither roles nor division, extensions and station
	VendorRoles        bool   // the role of new users has the vendor's name, employee; otherwise Employee
	NoEmptyEmployer    bool   // the employer of a user who has none is left out although it was asked for
	NoDefaultRole      bool   // a new user has no role
	RestoreForgets     bool   // a restored user has lost manager, contacts and certifications
	DropExpands        int    // every n-th user of a listing lacks an expanded field; 0: none
	SearchPage         int    // the largest page of the search; 100
	SearchValues       int    // the most values in one criterion of the search; 50
	LargestAnswer      int    // in bytes, of a GET: a larger one is 400; 0: no limit
	MaxIDs             int    // the most that the listing's filter id takes; 100
	MissingIDs         bool   // the filter id is 404 if one of the users is not shown
	IDStates           string // the states that the filter id shows at most, such as "active inactive"; all
	SkillsBatch        int    // the most skills that replace a user's in one request; 50
	DivisionBatch      int    // the most users that move to a division in one request; 50
	GrantBatch         int    // the most grants in one request; 0: no limit
	NoVersionBump      bool   // what hangs under a user does not count the user's version up
	NoGlobalGrants     bool   // the grants of division * cannot be listed
}

func (o Options) withDefaults() Options {
	if o.ClientID == "" {
		o.ClientID, o.ClientSecret = "demo", "demo"
	}
	o.OrgID = orElse(o.OrgID, "0a1b2c3d-0000-4000-8000-000000000001")
	o.TokenLife = orElse(o.TokenLife, 24*time.Hour)
	o.BadClientStatus = orElse(o.BadClientStatus, http.StatusBadRequest)
	o.MintLimitStatus = orElse(o.MintLimitStatus, http.StatusTooManyRequests)
	o.HiddenStatus = orElse(o.HiddenStatus, http.StatusForbidden)
	o.Namespace = orElse(o.Namespace, "platform.api")
	o.IndexLag = orElse(o.IndexLag, 3*time.Second)
	o.TakenStatus = orElse(o.TakenStatus, http.StatusConflict)
	o.CreatedStatus = orElse(o.CreatedStatus, http.StatusOK)
	o.SearchPage = orElse(o.SearchPage, 100)
	o.SearchValues = orElse(o.SearchValues, 50)
	o.MaxIDs = orElse(o.MaxIDs, 100)
	o.IDStates = orElse(o.IDStates, "active inactive deleted")
	o.GrantLag = orElse(o.GrantLag, 4*time.Second)
	o.SkillsBatch = orElse(o.SkillsBatch, 50)
	o.DivisionBatch = orElse(o.DivisionBatch, 50)
	o.Quota.Model = orElse(o.Quota.Model, Fixed)
	o.Quota.Limit = orElse(o.Quota.Limit, 300)
	o.Quota.Window = orElse(o.Quota.Window, time.Minute)
	return o
}

// orElse is v, or what stands for its zero value.
func orElse[T comparable](v, standard T) T {
	var zero T
	if v == zero {
		return standard
	}
	return v
}
