package spec

import "usersyncd/spec/strictyaml"

// Field names one property of a user, spelled as in the YAML.
type Field string

// Names of fields, for code that deals with one of them. What a field is stands in its row of the table below.
const (
	Email         Field = "email"
	Name          Field = "name"
	State         Field = "state"
	Title         Field = "title"
	Department    Field = "department"
	Manager       Field = "manager"
	Division      Field = "division"
	PreferredName Field = "preferredName"
	ACDAutoAnswer Field = "acdAutoAnswer"
	Certs         Field = "certifications"
	ProfileSkills Field = "profileSkills"
	Employer      Field = "employer"
	Phones        Field = "phones"
	Emails        Field = "emails"
	Locations     Field = "locations"
	Skills        Field = "skills"
	Languages     Field = "languages"
	Roles         Field = "roles"
	Queues        Field = "queues"
	Groups        Field = "groups"
	Utilization   Field = "utilization"
	Voicemail     Field = "voicemail"
	ExternalIDs   Field = "externalIds"
)

// Info describes one field.
type Info struct {
	Field
	About   string // what the field is, for the schema and the README
	Access  bool   // it decides what a person may do, as opposed to who they are
	User    bool   // the value names another user, by Key
	PerUser bool   // it cannot be in a _defaults.yaml

	kind kind[Value]
	refs func(Value) []Ref // what the value refers to by name; nil: nothing
	// equal compares a desired and an observed value whose texts differ; nil: they are not equal.
	equal func(desired, observed Value) bool
}

// Empty is how the field is emptied in YAML, which is also its empty value: "", [] or {}; "" without quotes if it
// cannot be emptied.
func (i Info) Empty() string { return i.kind.empty }

// Words are the only values that the field can have; nil if there are others.
func (i Info) Words() []string { return i.kind.words }

// Parse reads and checks the value of the field. With problems, there is none.
func (i Info) Parse(n *strictyaml.Node) (Value, []Problem) {
	var r reader
	v, ok := i.kind.parse(&r, n)
	if !ok {
		return "", r.problems
	}
	return v, nil
}

// table has one row for each field: how it is parsed, checked, suggested, printed, documented and described in the JSON
// Schema follows from it. Its order is the order in which a change prints the fields.
var table = []Info{
	{Field: Email, PerUser: true, kind: as(address(), Text), About: "Address that the user logs in with; the key of the user, compared without case. Required."},
	{Field: Name, PerUser: true, kind: as(name(), Text), About: "Full name. Required to create a user."},
	{Field: State, Access: true, kind: as(oneOf("active", "inactive"), Text), About: "Whether the user can log in."},
	{Field: Title, kind: as(plain(), Text), About: "Job title."},
	{Field: Department, kind: as(plain(), Text), About: "Department."},
	{Field: Manager, User: true, kind: as(orEmpty(address()), Text), About: "E-mail address of the manager, who is a user too."},
	{Field: Division, Access: true, kind: as(name(), Text), refs: textRef(KindDivision), About: "Division that the user belongs to."},
	{Field: PreferredName, kind: as(plain(), Text), About: "Name that colleagues use for the user."},
	{Field: ACDAutoAnswer, kind: as(boolean(), Bool), About: "Whether ACD calls are answered automatically."},
	{Field: Certs, kind: as(names(namesExample), Strings), About: "Certifications, as free text."},
	{Field: ProfileSkills, kind: as(names(namesExample), Strings), About: "Skills shown in the profile, as free text. They do not route calls; see `skills`."},
	{Field: Employer, kind: as(employer(), EmployerOf), About: "Employment. Managed as a whole: a part left out is emptied."},
	{Field: Phones, kind: as(phones(), PhoneList), equal: equalAs(samePhones),
		About: "Phone numbers, one for each media and type. Where an extension is given, the number is not compared, as Genesys Cloud rewrites it."},
	{Field: Emails, kind: as(emails(), EmailList), About: "Further e-mail addresses, one for each type."},
	{Field: Locations, kind: as(locations(), LocationList), refs: locationRefs, About: "Where the user works."},
	{Field: Skills, Access: true, kind: as(mapOf(number(0, 5), "{Billing: 4}"), Proficiencies), refs: keyRefs(KindSkill), About: "ACD skills, with a proficiency."},
	{Field: Languages, Access: true, kind: as(mapOf(whole(0, 5), "{Spanish: 5}"), Proficiencies), refs: keyRefs(KindLanguage), About: "ACD languages, with a proficiency."},
	{Field: Roles, Access: true, kind: as(roles(), RoleList), refs: roleRefs,
		About: "Roles. Without divisions, a role is granted in the home division; do not name that one. `divisions: [\"*\"]` means all divisions, future ones too."},
	{Field: Queues, Access: true, kind: as(names(namesExample), Strings), refs: listRefs(KindQueue), About: "Queues that the user is a member of; \"Name (id)\" where several have the name."},
	{Field: Groups, Access: true, kind: as(names(namesExample), Strings), refs: listRefs(KindGroup), About: "Groups that the user is a member of; \"Name (id)\" where several have the name."},
	{Field: Utilization, kind: as(utilization(), UtilizationOf), equal: equalAs(sameUtilization),
		About: "How many interactions the agent takes at a time. A medium left out has the organization's default."},
	{Field: Voicemail, kind: as(voicemail(), VoicemailOf), equal: equalAs(sameVoicemail), About: "Voicemail policy. A part left out is not managed."},
	{Field: ExternalIDs, kind: as(externalIDs(), ExternalIDMap),
		About: "The user's keys in other systems, by authority, 100 at most. An authority left out is removed."},
}

const namesExample = "[First name, Second name]"

// Keys of a user that are not fields: they say which user is meant, not what it is like.
const (
	KeyID            = "id"
	KeyPreviousEmail = "previousEmail"
	keyUsers         = "users"
)

// All lists the fields in the order in which a change prints them.
func All() []Info { return append([]Info(nil), table...) }

// Lookup finds a field; ok is false if the format has none of that name.
func Lookup(f Field) (info Info, ok bool) {
	if i, ok := byName[f]; ok {
		return table[i], true
	}
	return Info{}, false
}

// byName finds a field in the table.
var byName = func() map[Field]int {
	all := make(map[Field]int, len(table))
	for i, info := range table {
		all[info.Field] = i
	}
	return all
}()

var userKeys, defaultKeys = knownKeys(false), knownKeys(true)

// knownKeys lists the keys that a user, or a _defaults.yaml, may have.
func knownKeys(defaults bool) []string {
	var keys []string
	for _, i := range table {
		if !defaults || !i.PerUser {
			keys = append(keys, string(i.Field))
		}
	}
	if !defaults {
		keys = append(keys, KeyID, KeyPreviousEmail)
	}
	return keys
}

// IsEmpty reports whether the value is the one that empties the field: "", [] or {}. It is false for fields that cannot
// be emptied.
func IsEmpty(f Field, v Value) bool {
	info, ok := Lookup(f)
	return ok && info.Empty() != "" && v == Value(info.Empty())
}

// Equal reports whether observed is what desired asks for. Values are compared as they are, but for those of phones,
// utilization and voicemail.
func Equal(f Field, desired, observed Value) bool {
	if desired == observed {
		return true
	}
	info, _ := Lookup(f)
	return info.equal != nil && info.equal(desired, observed)
}

// References lists the things that must exist in the organization for the value to make sense, each once, in an order
// that the value alone decides. There are none for a field that names nothing, and for a value that is empty or not
// one of the field.
func References(f Field, v Value) []Ref {
	if info, _ := Lookup(f); info.refs != nil {
		return info.refs(v)
	}
	return nil
}
