package spec

// Info describes one field.
type Info struct {
	Field
	Access  bool   // what a person may do, as opposed to who they are
	User    bool   // the value names another user, by Key
	PerUser bool   // it makes no sense in a _defaults.yaml
	Empty   string // how the field is emptied in YAML: "", [] or {}; none if it cannot be

	// read checks the YAML of the field and gives its value; ok is false if it reported a problem.
	read func(*reader, *node) (v Value, ok bool)
}

// The ways of emptying a field.
const (
	noText = `""`
	noList = "[]"
	noMap  = "{}"
)

// table is the one list of fields: what is parsed, checked, suggested, printed and documented follows
// from it. Its order is the order in which a change prints them.
var table = []Info{
	{Field: Email, PerUser: true, read: (*reader).email},
	{Field: Name, PerUser: true, read: (*reader).requiredText},
	{Field: State, Access: true, read: oneOf("active", "inactive")},
	{Field: Title, Empty: noText, read: (*reader).text},
	{Field: Department, Empty: noText, read: (*reader).text},
	{Field: Manager, User: true, Empty: noText, read: (*reader).manager},
	{Field: Division, Access: true, read: (*reader).requiredText},
	{Field: PreferredName, Empty: noText, read: (*reader).text},
	{Field: ACDAutoAnswer, read: (*reader).boolean},
	{Field: Certs, Empty: noList, read: (*reader).names},
	{Field: ProfileSkills, Empty: noList, read: (*reader).names},
	{Field: Employer, Empty: noMap, read: (*reader).employer},
	{Field: Phones, Empty: noList, read: (*reader).phones},
	{Field: Emails, Empty: noList, read: (*reader).emails},
	{Field: Locations, Empty: noList, read: (*reader).locations},
	{Field: Skills, Access: true, Empty: noMap, read: (*reader).skills},
	{Field: Languages, Access: true, Empty: noMap, read: (*reader).languages},
	{Field: Roles, Access: true, Empty: noList, read: (*reader).roles},
	{Field: Queues, Access: true, Empty: noList, read: (*reader).names},
	{Field: Groups, Access: true, Empty: noList, read: (*reader).names},
	{Field: Utilization, Empty: noMap, read: (*reader).utilization},
	{Field: Voicemail, read: (*reader).voicemail},
	{Field: ExternalIDs, Empty: noMap, read: (*reader).externalIDs},
}

// Keys of a user that are not fields: they say which user is meant, not what it is like.
const (
	keyID            = "id"
	keyPreviousEmail = "previousEmail"
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
		keys = append(keys, keyID, keyPreviousEmail)
	}
	return keys
}
