package genesys

import (
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// The permissions that several operations take.
const (
	viewUsers       = "directory:user:view"
	editUsers       = "directory:user:edit"
	administer      = "directory:organization:admin"
	assignSkills    = "routing:skill:assign"
	assignLanguages = "routing:language:assign"
	viewQueues      = "routing:queue:view"
	editQueues      = "routing:queue:edit or routing:queueMember:manage"
	viewGroups      = "directory:group:view"
	editGroups      = "directory:group:edit"
	viewRoles       = "authorization:role:view"
	viewGrants      = "authorization:grant:view"
	viewCapacity    = "routing:utilization:view"
	manageCapacity  = "routing:utilization:manage"
	viewVoicemail   = "voicemail:userPolicy:viewOther"
	editVoicemail   = "telephony:plugin:all"
)

// The operations of the API that this package uses, a row each. The permissions are those that the vendor's documents ask
// for; the API does not check each of them everywhere. Most is what the vendor documents or its Terraform provider uses;
// where neither tells, a comment says so.
var (
	getOrganization = api.Operation{Method: "GET", Path: "/organizations/me"}
	getToken        = api.Operation{Method: "GET", Path: "/tokens/me"}
	getOAuthClient  = api.Operation{Method: "GET", Path: "/oauth/clients/{id}", Needs: []string{"oauth:client:view"}}

	listUsers  = api.Operation{Method: "GET", Path: "/users", Needs: []string{viewUsers}, Lists: "users", Cap: 10_000}
	queryUsers = api.Operation{Method: "GET", Path: "/users/query", Needs: []string{viewUsers}, Lists: "users", ByCursor: true,
		Fallback: 100} // its largest page is not documented
	searchUsers = api.Operation{Method: "POST", Path: "/users/search", Needs: []string{viewUsers}, Asks: true, Lists: "users", Most: 50, // not documented
		Codes: map[string]error{"resource.not.found": apply.ErrNotFound}} // nobody; any other 404 is not about users
	readUsers  = api.Operation{Method: "GET", Path: "/users", Params: "state=any&pageSize=100", Needs: []string{viewUsers}, Lists: "users", Most: 100}
	getUser    = api.Operation{Method: "GET", Path: "/users/{id}", Needs: []string{viewUsers}}
	createUser = api.Operation{Method: "POST", Path: "/users", Needs: []string{"directory:user:add"}}
	deleteUser = api.Operation{Method: "DELETE", Path: "/users/{id}", Needs: []string{"directory:user:delete"}, Accepts: []string{administer},
		Repeatable: true}
	// The API ignores or refuses anything besides state and version, so that the state goes alone.
	setState    = api.Operation{Method: "PATCH", Path: "/users/{id}", Needs: []string{editUsers}, Accepts: []string{administer}}
	updateUser  = api.Operation{Method: "PATCH", Path: "/users/{id}", Needs: []string{editUsers}, Accepts: []string{administer}}
	updateUsers = api.Operation{Method: "PATCH", Path: "/users/bulk", Needs: []string{editUsers}, Accepts: []string{administer},
		Repeatable: true, Most: 50}

	listSkills    = api.Operation{Method: "GET", Path: "/routing/skills", Needs: []string{"routing:skill:view"}, Lists: "skills", Most: 500}
	listLanguages = api.Operation{Method: "GET", Path: "/routing/languages", Needs: []string{"routing:language:view"}, Lists: "languages", Most: 100}
	listDivisions = api.Operation{Method: "GET", Path: "/authorization/divisions", Needs: []string{"authorization:division:view"}, Lists: "divisions", Most: 100}
	// With the number of users the listing of roles "can lead to slower load times or timeouts".
	listRoles     = api.Operation{Method: "GET", Path: "/authorization/roles", Params: "userCount=false", Needs: []string{viewRoles}, Lists: "roles", Most: 100}
	listQueues    = api.Operation{Method: "GET", Path: "/routing/queues", Needs: []string{viewQueues}, Lists: "queues", Most: 500}
	listGroups    = api.Operation{Method: "GET", Path: "/groups", Needs: []string{viewGroups}, Lists: "groups", Most: 500}
	listLocations = api.Operation{Method: "GET", Path: "/locations", Lists: "locations", Most: 100}

	getHomeDivision = api.Operation{Method: "GET", Path: "/authorization/divisions/home"}
	moveUsers       = api.Operation{Method: "POST", Path: "/authorization/divisions/{id}/objects/USER", Needs: []string{editUsers},
		Repeatable: true, Most: 50, // not documented
		Codes: map[string]error{"bulk.move.unable.to.move": apply.ErrRefused}} // some were moved: each half is sent again, to find whom it is about

	getRole       = api.Operation{Method: "GET", Path: "/authorization/roles/{id}", Params: "userCount=false", Needs: []string{viewRoles}}
	listRoleUsers = api.Operation{Method: "GET", Path: "/authorization/roles/{id}/users", Needs: []string{viewRoles}, Lists: "users of the role", Most: 100}
	getGrants     = api.Operation{Method: "GET", Path: "/authorization/subjects/{id}", Params: "includeDuplicates=true", Needs: []string{viewGrants}}
	listGrants    = api.Operation{Method: "GET", Path: "/authorization/divisions/{id}/grants", Needs: []string{viewGrants}, Lists: "grants", Most: 500}
	replaceGrants = api.Operation{Method: "POST", Path: "/authorization/subjects/{id}/bulkreplace", Params: "subjectType=PC_USER",
		Needs: []string{"authorization:grant:add", "authorization:grant:delete"}, Repeatable: true}

	replaceSkills    = api.Operation{Method: "PUT", Path: "/users/{id}/routingskills/bulk", Needs: []string{assignSkills}, Repeatable: true, Most: 50}
	addSkills        = api.Operation{Method: "PATCH", Path: "/users/{id}/routingskills/bulk", Needs: []string{assignSkills}, Repeatable: true, Most: 50}
	removeSkill      = api.Operation{Method: "DELETE", Path: "/users/{id}/routingskills/{skill}", Needs: []string{assignSkills}, Repeatable: true}
	addLanguages     = api.Operation{Method: "PATCH", Path: "/users/{id}/routinglanguages/bulk", Needs: []string{assignLanguages}, Accepts: []string{assignSkills}, Repeatable: true, Most: 50}
	removeLanguage   = api.Operation{Method: "DELETE", Path: "/users/{id}/routinglanguages/{language}", Needs: []string{assignLanguages}, Accepts: []string{assignSkills}, Repeatable: true}
	setProfileSkills = api.Operation{Method: "PUT", Path: "/users/{id}/profileskills", Needs: []string{"directory:userProfile:edit"}, Repeatable: true}

	listUserQueues   = api.Operation{Method: "GET", Path: "/users/{id}/queues", Needs: []string{viewQueues}, Lists: "queues of the user", Most: 100}
	listQueueMembers = api.Operation{Method: "GET", Path: "/routing/queues/{id}/members", Params: "memberBy=user", Needs: []string{viewQueues}, Lists: "members of the queue", Most: 100, Uncounted: true}
	leaveQueue       = api.Operation{Method: "POST", Path: "/routing/queues/{id}/members", Params: "delete=true", Needs: []string{editQueues}, Repeatable: true, Most: 100}
	joinQueue        = api.Operation{Method: "POST", Path: "/routing/queues/{id}/members", Needs: []string{editQueues}, Repeatable: true, Most: 100}
	getGroup         = api.Operation{Method: "GET", Path: "/groups/{id}", Needs: []string{viewGroups}}
	listIndividuals  = api.Operation{Method: "GET", Path: "/groups/{id}/individuals", Needs: []string{viewGroups}, Lists: "individuals of the group"}
	leaveGroup       = api.Operation{Method: "DELETE", Path: "/groups/{id}/members", Needs: []string{editGroups}, Repeatable: true, Most: 50}
	joinGroup        = api.Operation{Method: "POST", Path: "/groups/{id}/members", Needs: []string{editGroups}, Repeatable: true, Most: 50}

	getDefaultUtilization = api.Operation{Method: "GET", Path: "/routing/utilization", Needs: []string{viewCapacity}, Accepts: []string{manageCapacity}}
	listLabels            = api.Operation{Method: "GET", Path: "/routing/utilization/labels", Needs: []string{viewCapacity}, Lists: "labels", Most: 100} // not documented
	getUtilization        = api.Operation{Method: "GET", Path: "/routing/users/{id}/utilization", Needs: []string{viewCapacity}, Accepts: []string{manageCapacity}}
	setUtilization        = api.Operation{Method: "PUT", Path: "/routing/users/{id}/utilization", Needs: []string{manageCapacity}, Repeatable: true}
	resetUtilization      = api.Operation{Method: "DELETE", Path: "/routing/users/{id}/utilization", Needs: []string{manageCapacity}, Repeatable: true}
	getVoicemail          = api.Operation{Method: "GET", Path: "/voicemail/userpolicies/{id}", Needs: []string{viewVoicemail}, Accepts: []string{editVoicemail}, Codes: noVoicemail()}
	setVoicemail          = api.Operation{Method: "PATCH", Path: "/voicemail/userpolicies/{id}", Needs: []string{editVoicemail}, Accepts: []string{viewVoicemail}, Repeatable: true, Codes: noVoicemail()}
	listExternalIDs       = api.Operation{Method: "GET", Path: "/users/{id}/externalid"}
	findExternalID        = api.Operation{Method: "GET", Path: "/users/externalid/{authority}/{key}"}
	addExternalID         = api.Operation{Method: "POST", Path: "/users/{id}/externalid", Needs: []string{editUsers}, Codes: map[string]error{codeTaken: apply.ErrRefused}}
	removeExternalID      = api.Operation{Method: "DELETE", Path: "/users/{id}/externalid/{authority}/{key}", Needs: []string{editUsers}, Repeatable: true}
)

// codeTaken is the code for an external id that another user has.
const codeTaken = "general.resource.conflict"

// noVoicemail is for a 404 that is about the voicemail of a user, and not about the user.
func noVoicemail() map[string]error {
	return map[string]error{"voicemailservice.user.usernotfound": apply.ErrRefused}
}
