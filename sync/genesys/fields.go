package genesys

import (
	"context"
	"encoding/json"

	"usersyncd/spec"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// A field is all that is known here of one field of the format: how the API shows it, and how it takes it.
type field struct {
	spec.Field

	// Its names in the API's User, and in the bodies of POST and PATCH /users; "" where it is not.
	user, post, patch string
	expand            bool       // the API shows it if it is asked for; if it is missing all the same, it is unknown and not empty
	codec                        // of these three
	kind              spec.Kind  // what its names refer to, whose index is needed to read it; "" for none
	fresh             spec.Value // what a new user has; "" if that is not known, or POST takes it
	bulk              bool       // PATCH /users/bulk takes it, for many users at once

	// How it is read for one user, if no User has it; and for many, where that takes fewer requests. ok is false where it
	// does not, or cannot be.
	detail  func(ctx context.Context, d *Directory, id string) (spec.Value, error)
	details func(ctx context.Context, d *Directory, ids []string) (values map[string]spec.Value, ok bool, err error)

	// How it is written, if PATCH does not take it. What differs becomes steps, each with one of the operations in writes,
	// in their order.
	steps  func(have, want spec.Value) []step
	writes []*api.Operation

	reads []*api.Operation // what else it takes to read it, besides listing users and the names of its kind
}

// A codec converts a field from and to the JSON of a user.
type codec struct {
	// decode is given nil for a member that is missing or null. A value "" is unknown.
	decode func(r *reading, u *user, raw json.RawMessage) (spec.Value, error)
	// encode is given the value to be written, and looks up ids.
	encode func(ctx context.Context, d *Directory, c *plan.Change, v spec.Value) (any, error)
}

// table has a row for each field of the format. The calls of one user are made in the order of its rows: who the user is,
// then where it belongs and what it may do, then the rest.
type table []field

func fields() table {
	text, list := codec{decodeText, encode[string]}, codec{decodeList, encode[[]string]}
	return table{
		{Field: spec.Email, user: "email", post: "email", patch: "email", codec: codec{decodeEmail, encode[string]}},
		{Field: spec.Name, user: "name", post: "name", patch: "name", codec: text},
		{Field: spec.State, user: "state", post: "state", patch: "state", codec: codec{decodeState, encode[string]}},
		{Field: spec.Title, user: "title", post: "title", patch: "title", codec: text},
		{Field: spec.Department, user: "department", post: "department", patch: "department", codec: text},
		{Field: spec.PreferredName, user: "preferredName", patch: "preferredName", codec: text, fresh: `""`},
		{Field: spec.Manager, user: "manager", patch: "manager", codec: codec{decodeManager, encodeManager}, fresh: `""`},
		{Field: spec.ACDAutoAnswer, user: "acdAutoAnswer", patch: "acdAutoAnswer", codec: codec{decodeBool, encode[bool]}, fresh: "false", bulk: true},
		{Field: spec.Certs, user: "certifications", expand: true, patch: "certifications", codec: list, fresh: "[]"},
		{Field: spec.Employer, user: "employerInfo", expand: true, patch: "employerInfo", codec: codec{decodeEmployer, encodeEmployer}, fresh: "{}"},
		{Field: spec.Phones, user: "addresses", post: "addresses", patch: "addresses", codec: codec{decodePhones, encodeContacts}},
		{Field: spec.Emails, user: "addresses", post: "addresses", patch: "addresses", codec: codec{decodeEmails, encodeContacts}},
		{Field: spec.Locations, user: "locations", expand: true, patch: "locations", codec: codec{decodeLocations, encodeLocations}, kind: spec.KindLocation, fresh: "[]"},
		{Field: spec.Division, user: "division", post: "divisionId", codec: codec{decodeDivision, encodeDivision},
			steps: divisionSteps, writes: ops(&moveUsers), reads: ops(&listDivisions)},
		{Field: spec.Roles, detail: rolesOf, details: rolesOfMany, steps: roleSteps, writes: ops(&replaceGrants), kind: spec.KindRole, reads: ops(&getGrants)},
		{Field: spec.Skills, user: "skills", expand: true, codec: codec{decode: skills.decode}, kind: spec.KindSkill, fresh: "{}",
			steps: skillSteps, writes: ops(&replaceSkills, &addSkills, &removeSkill)},
		{Field: spec.Languages, user: "languages", expand: true, codec: codec{decode: languages.decode}, kind: spec.KindLanguage, fresh: "{}",
			steps: languageSteps, writes: ops(&addLanguages, &removeLanguage)},
		{Field: spec.ProfileSkills, user: "profileSkills", expand: true, codec: codec{decode: decodeList}, fresh: "[]",
			steps: profileSkillSteps, writes: ops(&setProfileSkills)},
		{Field: spec.Utilization, fresh: "{}", detail: utilizationOf, steps: utilizationSteps, writes: ops(&setUtilization, &resetUtilization), reads: ops(&getUtilization)},
		{Field: spec.Voicemail, detail: voicemailOf, steps: voicemailSteps, writes: ops(&setVoicemail), reads: ops(&getVoicemail)},
		{Field: spec.ExternalIDs, fresh: "{}", detail: externalIDsOf, steps: externalIDSteps, writes: ops(&removeExternalID, &addExternalID), reads: ops(&listExternalIDs)},
		{Field: spec.Queues, fresh: "[]", detail: queuesOf, details: queuesOfMany, steps: queueSteps, writes: ops(&leaveQueue, &joinQueue), kind: spec.KindQueue, reads: ops(&listUserQueues)},
		{Field: spec.Groups, user: "groups", expand: true, codec: codec{decode: decodeGroups}, kind: spec.KindGroup, fresh: "[]",
			steps: groupSteps, writes: ops(&leaveGroup, &joinGroup)},
	}
}

func ops(list ...*api.Operation) []*api.Operation { return list }

// of returns the row of a field; nil if there is none.
func (t table) of(f spec.Field) *field {
	for i := range t {
		if t[i].Field == f {
			return &t[i]
		}
	}
	return nil
}

// writes lists the operations that write, in the order in which the calls of one user are made.
func (t table) writes() []*api.Operation {
	all := ops(&createUser, &deleteUser, &setState, &updateUser, &updateUsers)
	for _, f := range t {
		all = append(all, f.writes...)
	}
	return all
}

// Limits returns what the API cannot do.
func Limits() plan.Limits {
	var l plan.Limits
	for _, f := range fields() {
		if f.detail != nil {
			l.DetailFields = append(l.DetailFields, f.Field)
		}
		if f.steps != nil { // a PATCH has the version
			l.UnversionedFields = append(l.UnversionedFields, f.Field)
		}
	}
	return l
}

// Limits returns the same, for a pass.
func (*Directory) Limits() plan.Limits { return Limits() }
