package spec

// Field names one property of a user, spelled as in the YAML.
type Field string

// The fields of the format, in the order in which a change prints them.
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
