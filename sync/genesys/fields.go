package genesys

import (
	"context"
	"encoding/json"

	"usersyncd/spec"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/contact"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/plan"
)

// A field is all that is known here of one field of the format: how the API shows it, and how it takes it.
type field struct {
	spec.Field

	// Its names in the API's User, and in the bodies of POST and PATCH /users; "" where it is not.
	user, post, patch string
	expand            bool         // the API shows it if it is asked for; if it is missing all the same, it is unknown and not empty
	decode            decoder      // from a User
	encode            encoder      // for POST and PATCH
	kind              spec.RefKind // what its names refer to, whose index is needed to read it; "" for none
	initial           spec.Value   // what a new user has, as JSON: a creation with it needs no further call; "" if that is not known, or POST takes it
	bulk              bool         // PATCH /users/bulk takes it, for many users at once

	// How it is read for one user, if no User has it; and for many, where that takes fewer requests: ok is false where it
	// does not, or cannot be done.
	detail  func(ctx context.Context, d *Directory, id string) (spec.Value, error)
	details func(ctx context.Context, d *Directory, ids []string) (values map[string]spec.Value, ok bool, err error)

	// How it is written, if PATCH does not take it. What differs becomes steps, each with one of the operations in writes,
	// in their order.
	steps  func(have, want spec.Value) []step
	writes []*api.Operation

	reads []*api.Operation // what else it takes to read it, besides listing users and the names of its kind
}

// A decoder reads a member of a User, and makes it into a value. A member that is missing or null is the zero value of its
// type. The index is that of the field's kind. A value "" is unknown.
type decoder struct {
	parse func(raw json.RawMessage) (any, error)
	value func(parsed any, x *names.Index) spec.Value
}

// An encoder makes a value into what is sent, and looks up ids.
type encoder func(ctx context.Context, d *Directory, c *plan.Change, v spec.Value) (any, error)

// table has a row for each field of the format. The calls of one user are made in the order of its rows: who the user is,
// then where it belongs and what it may do, then the rest.
type table []field

func fields() table {
	text, list := decodeAs(spec.Text), decodeAs(spec.Strings)
	return table{
		{Field: spec.Email, user: "email", post: "email", patch: "email", decode: decodeAs(emailValue), encode: encodeAs[string]},
		{Field: spec.Name, user: "name", post: "name", patch: "name", decode: text, encode: encodeAs[string]},
		{Field: spec.State, user: "state", post: "state", patch: "state", decode: decodeAs(stateValue), encode: encodeAs[string]},
		{Field: spec.Title, user: "title", post: "title", patch: "title", decode: text, encode: encodeAs[string]},
		{Field: spec.Department, user: "department", post: "department", patch: "department", decode: text, encode: encodeAs[string]},
		{Field: spec.PreferredName, user: "preferredName", patch: "preferredName", decode: text, encode: encodeAs[string], initial: `""`},
		{Field: spec.Manager, user: "manager", patch: "manager", decode: decodeAs(managerValue), encode: encodeManager, initial: `""`},
		{Field: spec.ACDAutoAnswer, user: "acdAutoAnswer", patch: "acdAutoAnswer", bulk: true,
			decode: decodeAs(spec.Bool), encode: encodeAs[bool], initial: "false"},
		{Field: spec.Certs, user: "certifications", expand: true, patch: "certifications", decode: list, encode: encodeAs[[]string], initial: "[]"},
		{Field: spec.Employer, user: "employerInfo", expand: true, patch: "employerInfo",
			decode: decodeAs(employerValue), encode: encodeEmployer, initial: "{}"},
		{Field: spec.Phones, user: "addresses", post: "addresses", patch: "addresses", decode: decodeAs(contact.Phones), encode: encodeContacts},
		{Field: spec.Emails, user: "addresses", post: "addresses", patch: "addresses", decode: decodeAs(contact.Emails), encode: encodeContacts},
		{Field: spec.Locations, user: "locations", expand: true, patch: "locations", kind: spec.KindLocation,
			decode: decodeNamed(locationsValue), encode: encodeLocations, initial: "[]"},
		{Field: spec.Division, user: "division", post: "divisionId", decode: decodeAs(divisionValue), encode: encodeDivision,
			steps: divisionSteps, writes: ops(&moveUsers), reads: ops(&listDivisions)},
		{Field: spec.Roles, kind: spec.KindRole, detail: rolesOf, details: rolesOfMany, reads: ops(&getGrants),
			steps: roleSteps, writes: ops(&replaceGrants)},
		{Field: spec.Skills, user: "skills", expand: true, kind: spec.KindSkill, decode: decodeNamed(ratingsValue), initial: "{}",
			steps: skillSteps, writes: ops(&replaceSkills, &addSkills, &removeSkill)},
		{Field: spec.Languages, user: "languages", expand: true, kind: spec.KindLanguage, decode: decodeNamed(ratingsValue), initial: "{}",
			steps: languageSteps, writes: ops(&addLanguages, &removeLanguage)},
		{Field: spec.ProfileSkills, user: "profileSkills", expand: true, decode: list, initial: "[]",
			steps: profileSkillSteps, writes: ops(&setProfileSkills)},
		{Field: spec.Utilization, detail: utilizationOf, reads: ops(&getUtilization, &listLabels), initial: "{}",
			steps: utilizationSteps, writes: ops(&setUtilization, &resetUtilization)},
		{Field: spec.Voicemail, detail: voicemailOf, reads: ops(&getVoicemail), steps: voicemailSteps, writes: ops(&setVoicemail)},
		{Field: spec.ExternalIDs, detail: externalIDsOf, reads: ops(&listExternalIDs), initial: "{}",
			steps: externalIDSteps, writes: ops(&removeExternalID, &addExternalID)},
		{Field: spec.Queues, kind: spec.KindQueue, detail: queuesOf, details: queuesOfMany, reads: ops(&listUserQueues), initial: "[]",
			steps: queueSteps, writes: ops(&leaveQueue, &joinQueue)},
		{Field: spec.Groups, user: "groups", expand: true, kind: spec.KindGroup, decode: decodeNamed(groupsValue), initial: "[]", reads: ops(&listIndividuals),
			steps: groupSteps, writes: ops(&leaveGroup, &joinGroup)},
	}
}

func ops(list ...*api.Operation) []*api.Operation { return list }

// of returns the row of a field. One without a row, which a test forbids, is neither read nor written.
func (t table) of(f spec.Field) *field {
	for i := range t {
		if t[i].Field == f {
			return &t[i]
		}
	}
	return &field{Field: f}
}

// writes lists the operations that write, in the order in which the calls of one user are made.
func (t table) writes() []*api.Operation {
	all := ops(&createUser, &deleteUser, &setState, &updateUser, &updateUsers)
	for _, f := range t {
		all = append(all, f.writes...)
	}
	return all
}

// Capabilities returns how the API treats fields.
func Capabilities() plan.Capabilities {
	var l plan.Capabilities
	for _, f := range fields() {
		if f.detail != nil {
			l.DetailFields = append(l.DetailFields, f.Field)
			if f.details == nil {
				l.PerUserFields = append(l.PerUserFields, f.Field)
			}
		}
		if f.steps != nil { // only PATCH and POST have the version
			l.UnversionedFields = append(l.UnversionedFields, f.Field)
		}
	}
	return l
}

// Capabilities returns the same, for a pass.
func (*Directory) Capabilities() plan.Capabilities { return Capabilities() }
