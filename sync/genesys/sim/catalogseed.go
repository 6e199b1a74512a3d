package sim

import (
	"fmt"
	"strings"
)

// seeds is what every organization has, of each kind in the order of its ids.
var seeds = map[Kind][]string{
	Skill:    strings.Split("Billing,Refunds,Sales,Retention,Technical support,Complaints,Orders,Shipping,Returns,Fraud,VIP,Chat", ","),
	Language: strings.Split("English,Spanish,German,French,Portuguese,Italian", ","),
	Division: strings.Split("Home,EMEA,Americas,APAC", ","),
	Role:     strings.Split("Employee,Agent,Supervisor,Master Admin", ","),
	Queue:    strings.Split("Billing ES,Billing EN,Sales ES,Sales EN,Support DE,Support EN,Retention,Complaints", ","),
	Location: strings.Split("Madrid HQ,Berlin,Dublin,Austin", ","),
	Group:    strings.Split("Madrid,Berlin,Dublin,Austin,Night shift,Coaches", ","),
	Label:    {"VIP"},
}

// employeeRole is what every new user has.
const employeeRole = "70000000-0000-4000-8000-000000000001"

// defaultRoles are the roles that the API calls by another id in every organization, and what they allow.
var defaultRoles = map[string][2]string{
	"Employee":     {"employee", "directory:user:view"},
	"Agent":        {"agent", "routing:queue:view"},
	"Supervisor":   {"supervisor", "routing:queueMember:manage"},
	"Master Admin": {"admin", "directory:organization:admin"},
}

// seedCatalog puts in what users refer to. Its ids are the same in every organization, and cost no chance.
func (s *Server) seedCatalog() {
	prefixes := map[Kind]string{Skill: "51", Language: "1a", Division: "d0", Role: "70", Queue: "9e", Location: "10", Group: "90", Label: "1b", WrapUpCode: "7c"}
	for _, k := range kinds {
		for i, name := range seeds[k] {
			t := s.stores[k].put(fmt.Sprintf("%s000000-0000-4000-8000-%012d", prefixes[k], i+1))
			t.label = label{name, true}
			if t.id == employeeRole && s.o.VendorRoles {
				t.name = "employee"
			}
			if standard, is := defaultRoles[name]; is && k == Role {
				t.defaultID, t.allows = standard[0], []string{standard[1]}
			}
		}
	}
}
