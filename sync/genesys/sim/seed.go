package sim

import (
	"fmt"
	"strings"
)

// People of nowhere in particular.
var (
	givenNames = strings.Fields(`Ana Luis Mei Omar Priya Jonas Chloe Tariq Ingrid Mateo Yuki Amara Pavel Leila Declan Sofia
		Kofi Hanna Rafael Aylin Bram Noor Felix Zara Hugo Linh Marta Idris Elena Sven Fatima Diego Astrid Kwame Nadia Oscar`)
	familyNames = strings.Fields(`Perez Gomez Chen Haddad Sharma Weber Martin Rahman Larsen Silva Tanaka Okafor Novak Karimi
		Byrne Rossi Mensah Virtanen Costa Demir Visser Aziz Keller Khan Moreau Nguyen Lopez Bello Popescu Lund Nasser Vega
		Holm Asante Petrov Blanc`)
	titles      = []string{"Agent", "Senior agent", "Team lead", "Coach", "Planner", "Quality analyst"}
	departments = []string{"Sales", "Support", "Billing", "Retention", "Back office"}
)

// seed makes the organization's users up. The same options make the same users.
func (s *Server) seed() {
	total := s.o.Users + s.o.Deleted
	var lead string
	full := s.filler()
	for i := range total {
		given, family := givenNames[i%len(givenNames)], familyNames[i/len(givenNames)%len(familyNames)]
		address := strings.ToLower(given + "." + family)
		if n := i / (len(givenNames) * len(familyNames)); n > 0 {
			address += fmt.Sprint(n + 1)
		}
		u := User{
			Name: given + " " + family, Email: address + "@example.com", State: "active",
			Texts:   Texts{Title: titles[i%len(titles)], Department: departments[s.rand.IntN(len(departments))]},
			Manager: lead, Biography: "Likes number " + fmt.Sprint(s.rand.IntN(100)) + ".",
			Certifications: []string{}, Version: 1 + s.rand.IntN(5),
		}
		number := fmt.Sprintf("+1202555%04d", 100+i%100)
		switch i % 5 { // the shapes in which the API shows a number
		case 0:
			u.Contacts = []Contact{{MediaType: "PHONE", Type: "WORK", Address: number}}
		case 1:
			u.Contacts = []Contact{{MediaType: "PHONE", Type: "WORK", Extension: fmt.Sprintf("4%03d", i), Pooled: true}}
		case 2:
			u.Contacts = []Contact{{MediaType: "PHONE", Type: "WORK", Address: number, Extension: fmt.Sprintf("4%03d", i), Pooled: true}}
		case 3:
			u.Contacts = []Contact{{MediaType: "PHONE", Type: "WORK", Extension: fmt.Sprintf("9%04d", i)},
				{MediaType: "EMAIL", Type: "HOME", Address: address + "@home.example"}}
		}
		switch {
		case i >= s.o.Users:
			u.State = "deleted"
		case i >= s.o.Users-s.o.Inactive:
			u.State = "inactive"
		}
		r := s.add(u)
		if s.o.Full {
			full.fill(r, i)
		}
		s.turned(&r.User, "active")
		r.hidden = s.o.Hide > 0 && (i+1)%s.o.Hide == 0
		if i%20 == 0 && u.State == "active" {
			lead = r.ID
		}
	}
}
