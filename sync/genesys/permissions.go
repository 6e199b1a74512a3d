package genesys

import (
	"slices"
	"strings"

	"usersyncd/spec"
)

// What a role of the OAuth client must allow. README.md shows this as a table, and a test holds the two together.

// permissions are those that a field takes; "a or b" is either of the two.
type permissions struct{ read, write []string }

const (
	mayDelete          = "directory:user:delete"
	mayAssignLanguages = "routing:language:assign"
	mayViewRoles       = "authorization:role:view"
	mayViewGrants      = "authorization:grant:view"
	mayViewQueues      = "routing:queue:view"
	mayViewVoicemail   = "voicemail:userPolicy:viewOther"
	mayEditVoicemail   = "telephony:plugin:all"
)

// permissionsOf tells what a field takes, apart from creating and deleting users.
func permissionsOf(f spec.Field) permissions {
	switch f {
	case spec.Division:
		return permissions{[]string{"authorization:division:view"}, []string{mayEdit}}
	case spec.Skills:
		return permissions{[]string{"routing:skill:view"}, []string{mayAssign}}
	case spec.Languages:
		return permissions{[]string{"routing:language:view"}, []string{mayAssignLanguages}}
	case spec.ProfileSkills:
		return permissions{nil, []string{"directory:userProfile:edit"}}
	case spec.Locations, spec.ExternalIDs:
		return permissions{nil, []string{mayEdit}}
	case spec.Roles:
		return permissions{[]string{mayViewRoles, mayViewGrants}, []string{"authorization:grant:add", "authorization:grant:delete"}}
	case spec.Queues:
		return permissions{[]string{mayViewQueues}, []string{"routing:queue:edit or routing:queueMember:manage"}}
	case spec.Groups:
		return permissions{[]string{"directory:group:view"}, []string{"directory:group:edit"}}
	case spec.Utilization:
		return permissions{[]string{mayUtilize}, []string{"routing:utilization:manage"}}
	case spec.Voicemail:
		return permissions{[]string{mayViewVoicemail}, []string{mayEditVoicemail}}
	}
	return permissions{[]string{mayView}, []string{mayEdit}}
}

// Usage is what is made use of.
type Usage struct {
	Fields []spec.Field
	Create bool // users are created
	Delete bool // those who are no longer declared are deleted
	Admins bool // the holders of a role are counted
}

// A Need is a permission that something in use takes.
type Need struct {
	Permission string   // or several with " or " between them: any of them does
	For        []string // the fields, and what else it is for
	Writes     bool     // it is to write; only a role's policies can show whether it is there
}

// Needs lists what a use takes, each permission once, in the order of the fields.
func (u Usage) Needs() []Need {
	var needs []Need
	add := func(permission, what string, writes bool) {
		i := slices.IndexFunc(needs, func(n Need) bool { return n.Permission == permission })
		if i < 0 {
			needs = append(needs, Need{Permission: permission, Writes: writes})
			i = len(needs) - 1
		}
		if !slices.Contains(needs[i].For, what) {
			needs[i].For = append(needs[i].For, what)
		}
	}
	add(mayView, "reading users", false)
	if u.Create {
		add(mayAdd, "creating users", true)
	}
	if u.Delete {
		add(mayDelete, "--on-removal delete", true)
	}
	for _, f := range u.Fields {
		p := permissionsOf(f)
		for _, name := range p.read {
			add(name, string(f), false)
		}
		for _, name := range p.write {
			add(name, string(f), true)
		}
	}
	if u.Admins {
		add(mayViewRoles, "--min-admins", false)
	}
	return needs
}

// alternatives are the permissions any of which does: those named, and those that the vendor's description of
// the API lists beside them for the same calls. Nobody need have the latter, but who has is not told that it lacks.
func (n Need) alternatives() []string {
	all := strings.Split(n.Permission, " or ")
	for _, p := range slices.Clone(all) {
		switch p {
		case mayEdit, mayDelete:
			all = append(all, "directory:organization:admin")
		case mayAssignLanguages:
			all = append(all, mayAssign)
		case mayUtilize:
			all = append(all, "routing:utilization:manage")
		case mayViewVoicemail:
			all = append(all, mayEditVoicemail)
		case mayEditVoicemail:
			all = append(all, mayViewVoicemail)
		}
	}
	return all
}
