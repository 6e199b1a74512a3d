package terraform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/sync/genesys/sim"
)

// email is that of the user who is looked at.
const email = "ana.terra@example.com"

// A step is one configuration, and what the simulator has of the user after it was applied.
type step struct {
	name, want string
	drift      string // what the next plan says besides; "": nothing is left to do
}

// life is a user's, from the first to the last day.
var life = []step{
	{"create", "active; Ana Terra; Agent; Sales; Benelux; [Agent@Benelux employee@Home]; [Card fraud 4.5]; [Dutch 3]; [Loans NL Night watch]; " +
		"[HOME +13174181235x HOME ana@home.examplex WORK +13174181234x9123 WORK2 x4567]; [Chess Excel] [PCI] 1; {Ana Official 007123 Full-time 2021-03-18}; [call 1 [] true callback 2 [call email] false chat 3 [] false email 2 [] false message 4 [] false]; 21", ""},
	{"update", "active; Ana Terra-Nova; Team lead; Sales; Benelux; [Supervisor@Home employee@Home]; [Card fraud 2 Loans 3.5]; [Greek 5]; [Loans BE Night watch]; " +
		"[HOME +13174181235x HOME ana@new.examplex WORK +13174181234x9123 WORK2 x4567]; [Chess] [ITIL PCI] 1; { 007123 Part-time }; [call 1 [] false callback 1 [] false chat 5 [] false email 2 [] false message 4 [] false]; 30", ""},
	{"clear", "active; Ana Terra-Nova; ; ; Benelux; [employee@Home]; []; []; []; " +
		"[]; [] [] 0; {   }; []; 30", ""},
	{"deactivate", "inactive; Ana Terra; ; ; Benelux; []; [Card fraud 2]; []; []; " +
		"[]; [] [] 0; {   }; []; 30", "genesyscloud_user_roles.ana will be updated"}, // the state took the role away
	{"activate", "active; Ana Terra; ; ; Benelux; [employee@Home]; [Card fraud 2]; []; []; " +
		"[]; [] [] 0; {   }; []; 30", ""},
	{"delete", "deleted; Ana Terra; ; ; Home; []; [Card fraud 2]; []; []; " +
		"[]; [] [] 0; {   }; []; 30", ""},
	{"restore", "active; Ana Again; Agent; ; Benelux; [Agent@Benelux employee@Home]; [Loans 1]; [Greek 4]; [Loans BE Night watch]; " +
		"[]; [] [] 0; {   }; []; 30", ""},
	{"destroy", "deleted; Ana Again; Agent; ; Home; []; []; []; []; " +
		"[]; [] [] 0; {   }; []; 30", ""},
}

// tell describes the user in one line.
func tell(org *sim.Server) string {
	u, ok := org.User(email)
	if !ok {
		return "nobody"
	}
	var roles, member []string
	for _, g := range u.Grants {
		roles = append(roles, org.NameOf(sim.Role, g.Role)+"@"+org.NameOf(sim.Division, g.Division))
	}
	for _, name := range []string{"Loans NL", "Loans BE"} {
		if slices.Contains(org.Members(sim.Queue, org.IDOf(sim.Queue, name)), u.ID) {
			member = append(member, name)
		}
	}
	if slices.Contains(org.Members(sim.Group, org.IDOf(sim.Group, "Night watch")), u.ID) {
		member = append(member, "Night watch")
	}
	slices.Sort(roles)
	return strings.Join([]string{u.State, u.Name, u.Title, u.Department, org.NameOf(sim.Division, u.Division), fmt.Sprint(roles),
		rated(org, sim.Skill, u.Skills), rated(org, sim.Language, u.Languages), fmt.Sprint(member), contacts(u.Contacts),
		fmt.Sprint(u.ProfileSkills, u.Certifications, len(u.Locations)), fmt.Sprint(u.Employer), media(u),
		fmt.Sprint(u.Voicemail.OrDefault().AlertTimeoutSeconds)}, "; ")
}

func rated(org *sim.Server, k sim.Kind, all map[string]float64) string {
	list := []string{}
	for id, p := range all {
		list = append(list, fmt.Sprint(org.NameOf(k, id), " ", p))
	}
	slices.Sort(list)
	return fmt.Sprint(list)
}

func contacts(all []sim.Contact) string {
	list := []string{}
	for _, c := range all {
		list = append(list, fmt.Sprint(c.Type, " ", c.Address, "x", c.Extension))
	}
	slices.Sort(list)
	return fmt.Sprint(list)
}

func media(u sim.User) string {
	list := []string{}
	if u.Utilization == nil {
		return fmt.Sprint(list)
	}
	all := u.Utilization.Media
	for _, m := range slices.Sorted(maps.Keys(all)) {
		list = append(list, fmt.Sprint(m, " ", all[m].MaximumCapacity, all[m].InterruptableMediaTypes, all[m].IncludeNonACD))
	}
	return fmt.Sprint(list)
}
