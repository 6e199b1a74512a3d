package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec/schema"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Field names one property of a user, spelled as in the YAML.
type Field string

// Names of fields, for code that handles one of them. The table below describes the fields.
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

// FieldInfo describes one field.
type FieldInfo struct {
	Field
	About        string // what the field is, for the schema and the README
	Access       bool   // it decides what a person may do, as opposed to who they are
	RefersToUser bool   // the value names another user, by Key
	NoDefault    bool   // it cannot be in a _defaults.yaml

	typ  schema.Type[Value]
	refs func(Value) []Ref // what the value refers to by name; nil: nothing
	// equal compares a desired and an observed value whose texts differ; nil: they are not equal.
	equal func(desired, observed Value) bool
}

// Empty is how the field is emptied in YAML, which is also its empty value: "", [] or {}; "" without quotes if it
// cannot be emptied.
func (i FieldInfo) Empty() string { return i.typ.Empty }

// Words are the only values that the field can have; nil if there are others.
func (i FieldInfo) Words() []string { return i.typ.Words }

// Parse reads and checks the value of the field. With problems, there is none.
func (i FieldInfo) Parse(n *strictyaml.Node) (Value, []Problem) {
	var r schema.Reader
	v, ok := i.typ.Parse(&r, n)
	if !ok {
		return "", r.Problems
	}
	return v, nil
}

// table has one row for each field, from which follow how it is read, checked, compared and documented, and its JSON
// Schema. Its order is the order in which a change prints the fields.
var table = []FieldInfo{
	{Field: Email, NoDefault: true, typ: schema.As(address(), Text), About: "Address that the user logs in with; the key of the user, compared without case. Required."},
	{Field: Name, NoDefault: true, typ: schema.As(schema.Name(), Text), About: "Full name. Required to create a user."},
	{Field: State, Access: true, typ: schema.As(schema.OneOf("active", "inactive"), Text), About: "Whether the user can log in."},
	{Field: Title, typ: schema.As(schema.Text(), Text), About: "Job title."},
	{Field: Department, typ: schema.As(schema.Text(), Text), About: "Department."},
	{Field: Manager, RefersToUser: true, typ: schema.As(schema.OrEmpty(address()), Text), About: "E-mail address of the manager, who is a user too."},
	{Field: Division, Access: true, typ: schema.As(schema.Name(), Text), refs: named(KindDivision, func(v Value) []string { return []string{v.Text()} }), About: "Division that the user belongs to."},
	{Field: PreferredName, typ: schema.As(schema.Text(), Text), About: "Name that colleagues use for the user."},
	{Field: ACDAutoAnswer, typ: schema.As(schema.Bool(), Bool), About: "Whether ACD calls are answered automatically."},
	{Field: Certs, typ: schema.As(schema.Words(schema.Name(), namesExample), Strings), About: "Certifications, as free text."},
	{Field: ProfileSkills, typ: schema.As(schema.Words(schema.Name(), namesExample), Strings), About: "Skills shown in the profile, as free text. They do not route calls; see `skills`."},
	{Field: Employer, typ: schema.As(employer(), EmployerOf), About: "Employment. Managed as a whole: a part left out is emptied."},
	{Field: Phones, typ: schema.As(phones(), PhoneList), equal: equalAs(samePhones),
		About: "Phone numbers, one for each media and type. Where an extension is given, the number is not compared, as Genesys Cloud rewrites it."},
	{Field: Emails, typ: schema.As(emails(), EmailList), About: "Further e-mail addresses, one for each type."},
	{Field: Locations, typ: schema.As(locations(), LocationList), refs: named(KindLocation, locationNames), About: "Where the user works."},
	{Field: Skills, Access: true, typ: schema.As(schema.Map(schema.Number(0, 5), "{Billing: 4}"), Proficiencies), refs: named(KindSkill, keysOf), About: "ACD skills, with a proficiency."},
	{Field: Languages, Access: true, typ: schema.As(schema.Map(schema.Whole(0, 5), "{Spanish: 5}"), Proficiencies), refs: named(KindLanguage, keysOf), About: "ACD languages, with a proficiency."},
	{Field: Roles, Access: true, typ: schema.As(roles(), RoleList), refs: roleRefs,
		About: "Roles. Without divisions, a role is granted in the home division; do not name that one. `divisions: [\"*\"]` means all divisions, future ones too."},
	{Field: Queues, Access: true, typ: schema.As(schema.Words(schema.Name(), namesExample), Strings), refs: named(KindQueue, decoded[[]string]), About: "Queues that the user is a member of; \"Name (id)\" where several have the name."},
	{Field: Groups, Access: true, typ: schema.As(schema.Words(schema.Name(), namesExample), Strings), refs: named(KindGroup, decoded[[]string]), About: "Groups that the user is a member of; \"Name (id)\" where several have the name. Who is in a group by its rule, or as its owner, stays in it, and that need not be declared."},
	{Field: Utilization, typ: schema.As(utilization(), UtilizationOf), refs: named(KindLabel, labelNames), equal: equalAs(sameUtilization),
		About: "How many interactions the agent takes at a time. A medium left out has the organization's default, and so has a label that is left out of `labels`. Without `labels`, labels are not managed, and neither is a medium's `includeNonAcd` that is left out."},
	{Field: Voicemail, typ: schema.As(voicemail(), VoicemailOf), equal: equalAs(sameVoicemail), About: "Voicemail policy. A part left out is not managed."},
	{Field: ExternalIDs, typ: schema.As(externalIDs(), ExternalIDMap),
		About: "The user's keys in other systems, by authority, 100 at most. An authority left out is removed."},
}

const namesExample = "[First name, Second name]"

// Keys of a user that are not fields: they identify the user.
const (
	KeyID            = "id"
	KeyPreviousEmail = "previousEmail"
	keyUsers         = "users"
)

// AllFields lists the fields in the order in which a change prints them.
func AllFields() []FieldInfo { return append([]FieldInfo(nil), table...) }

// FieldNamed returns the field with a name. The error suggests a similar one, or lists them.
func FieldNamed(name string) (Field, error) {
	var known []string
	for _, info := range table {
		if string(info.Field) == name {
			return info.Field, nil
		}
		known = append(known, string(info.Field))
	}
	if near := text.Suggest(name, known); near != "" {
		return "", fmt.Errorf("unknown field %s; did you mean %q?", text.Quote(name), near)
	}
	return "", fmt.Errorf("unknown field %s; the fields are %s", text.Quote(name), strings.Join(known, ", "))
}

// Managed is what of an observed value a desired one manages: of voicemail and utilization the parts that it names, of other
// fields all of it.
func Managed(f Field, desired, observed Value) Value {
	switch f {
	case Voicemail:
		return VoicemailOf(decoded[VoicemailPolicy](observed).only(decoded[VoicemailPolicy](desired)))
	case Utilization:
		return UtilizationOf(decoded[UtilizationSettings](observed).only(decoded[UtilizationSettings](desired)))
	}
	return observed
}

// ComparesParts reports whether values that are not the same text may be equal all the same: see [Equal].
func (i FieldInfo) ComparesParts() bool { return i.equal != nil }

// Lookup finds a field; ok is false if the format has none of that name.
func Lookup(f Field) (info FieldInfo, ok bool) {
	info, ok = byName[f]
	return info, ok
}

var byName = func() map[Field]FieldInfo {
	all := make(map[Field]FieldInfo, len(table))
	for _, info := range table {
		all[info.Field] = info
	}
	return all
}()

var userKeys, defaultKeys = knownKeys(false), knownKeys(true)

// knownKeys lists the keys that a user, or a _defaults.yaml, may have.
func knownKeys(defaults bool) []string {
	var keys []string
	for _, i := range table {
		if !defaults || !i.NoDefault {
			keys = append(keys, string(i.Field))
		}
	}
	if !defaults {
		keys = append(keys, KeyID, KeyPreviousEmail)
	}
	return keys
}

// IsEmpty reports whether the value empties the field: "", [] or {}. It is false for fields that cannot be emptied.
func IsEmpty(f Field, v Value) bool {
	info, ok := Lookup(f)
	return ok && info.Empty() != "" && v == Value(info.Empty())
}

// Equal reports whether observed is what desired asks for. Values are compared as they are, unless the field has its own
// comparison: phones, utilization and voicemail.
func Equal(f Field, desired, observed Value) bool {
	if desired == observed {
		return true
	}
	info, _ := Lookup(f)
	return info.equal != nil && info.equal(desired, observed)
}

// References lists the things of the organization that a value names, each once, in an order that depends on the value
// alone.
func References(f Field, v Value) []Ref {
	if info, _ := Lookup(f); info.refs != nil {
		return info.refs(v)
	}
	return nil
}

// RefKind is what a name refers to in the organization.
type RefKind string

// The kinds of things that the fields of a user refer to by name.
const (
	KindSkill    RefKind = "skill"
	KindLanguage RefKind = "language"
	KindDivision RefKind = "division"
	KindRole     RefKind = "role"
	KindQueue    RefKind = "queue"
	KindGroup    RefKind = "group"
	KindLocation RefKind = "location"
	KindLabel    RefKind = "label"
)

// Ref is one thing of the organization that a value names.
type Ref struct {
	Kind RefKind
	Name string // as in the spec; "Name (id)" where several things have the name
}

// AllDivisions as a division of a role, means all of them, future ones too.
const AllDivisions = "*"

// named makes the references of a value of which all names are of one kind.
func named(kind RefKind, names func(Value) []string) func(Value) []Ref {
	return func(v Value) []Ref { return refsOf(kind, names(v)) }
}

func keysOf(v Value) []string { return slices.Collect(maps.Keys(decoded[map[string]float64](v))) }

func locationNames(v Value) (names []string) {
	for _, l := range decoded[[]Location](v) {
		names = append(names, l.Name)
	}
	return names
}

func roleRefs(v Value) []Ref {
	var roles, divisions []string
	for _, r := range decoded[[]Role](v) {
		roles = append(roles, r.Name)
		divisions = append(divisions, r.Divisions...)
	}
	divisions = slices.DeleteFunc(divisions, func(name string) bool { return name == AllDivisions })
	return append(refsOf(KindRole, roles), refsOf(KindDivision, divisions)...)
}

func refsOf(kind RefKind, names []string) []Ref {
	var refs []Ref
	for _, name := range set(names) {
		if name != "" {
			refs = append(refs, Ref{kind, name})
		}
	}
	return refs
}

// Schema is the JSON Schema (draft-07, which editors understand best) of a spec file and of a
// _defaults.yaml. It is for editors: the loader checks more than a schema can say.
func Schema() []byte {
	var user, defaults schema.Object
	for _, info := range table {
		user = append(user, string(info.Field), schema.Described(info.About, info.typ.JSON))
		if info.Field == Email {
			user = append(user, KeyID, schema.Described(aboutID, idKind.JSON), KeyPreviousEmail, schema.Described(aboutPreviousEmail, previousEmailKind.JSON))
		}
		if !info.NoDefault {
			defaults = append(defaults, string(info.Field), schema.Definition("user/properties/"+string(info.Field)))
		}
	}
	users := schema.Object{"type", "array", "minItems", 1, "items", schema.Definition("user")}
	label := `[^\s@"(),:;<>\[\]\\.]+`            // as in that of schema.Address; unlike Go's, other engines refuse \"
	text, _ := json.MarshalIndent(schema.Object{ // it has only values that JSON has
		"$schema", "http://json-schema.org/draft-07/schema#",
		"title", "usersyncd user spec",
		"description", "A document of a spec file: one user, or users: [...]. The document of a _defaults.yaml is #/definitions/defaults.",
		"if", schema.Has("users"),
		"then", schema.Definition("users"),
		"else", schema.Definition("user"),
		"definitions", schema.Object{
			"user", schema.Mapping("One user.", user, "required", []string{"email"}),
			"users", schema.Mapping("A list of users.", schema.Object{"users", schema.Described("The users.", users)}, "required", []string{"users"}),
			"defaults", schema.Mapping("What every user below a folder has in common (_defaults.yaml).", defaults, "minProperties", 1),
			"name", schema.Object{"type", "string", "pattern", `\S`},
			"address", schema.Object{"type", "string", "maxLength", 254, "pattern", schema.Spaced(fmt.Sprintf(`^%s(\.%[1]s)*@(%[1]s\.)+%[1]s$`, label))},
		},
	}, "", "  ")
	return append(text, '\n')
}
