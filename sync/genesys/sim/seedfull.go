package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// hobbies and certificates of people of nowhere in particular.
var (
	hobbies      = strings.Fields("Chess Sailing Excel SQL Juggling Origami Photography Yoga")
	certificates = strings.Split("PCI,First aid,ITIL,Data protection,Coaching", ",")
	notes        = strings.Split("1st floor,2nd floor,3rd floor,Desk by the window,Remote on Fridays", ",")
)

// A filler gives every user made up every field. Its chance is its own, so that the users are otherwise
// those of an organization that is not full.
type filler struct {
	*Server
	rand *rand.Rand
}

func (s *Server) filler() *filler { return &filler{s, rand.New(rand.NewPCG(s.o.Seed, 2))} }

// some draws different things of a kind, between the least and the most.
func (f *filler) some(k Kind, least, most int) []*thing {
	return draw(f.rand, f.stores[k].order, least, most)
}

func draw[T any](r *rand.Rand, from []T, least, most int) []T {
	n := least + r.IntN(most-least+1)
	drawn := make([]T, 0, n)
	for _, i := range r.Perm(len(from))[:n] {
		drawn = append(drawn, from[i])
	}
	return drawn
}

func (f *filler) fill(r *record, i int) {
	u := &r.User
	u.Skills, u.Languages = map[string]float64{}, map[string]float64{}
	for _, t := range f.some(Skill, 2, 5) {
		u.Skills[t.id] = float64(1+f.rand.IntN(10)) / 2
	}
	for _, t := range f.some(Language, 1, 3) {
		u.Languages[t.id] = float64(1 + f.rand.IntN(5))
	}
	u.ProfileSkills = draw(f.rand, hobbies, 1, 3)
	u.Certifications = draw(f.rand, certificates, 1, 2)
	for _, t := range f.some(Location, 1, 2) {
		u.Locations = append(u.Locations, Place{ID: t.id, Notes: notes[f.rand.IntN(len(notes))]})
	}
	kinds := []string{"Full-time", "Part-time", "Contractor"}
	u.Employer = Employer{OfficialName: u.Name, EmployeeID: fmt.Sprintf("%06d", i+1), EmployeeType: kinds[f.rand.IntN(len(kinds))],
		DateHire: fmt.Sprintf("20%02d-%02d-%02d", 10+f.rand.IntN(15), 1+f.rand.IntN(12), 1+f.rand.IntN(28))}
	if f.rand.IntN(3) == 0 {
		u.PreferredName, _, _ = strings.Cut(u.Name, " ")
	}
	divisions := f.stores[Division].order
	u.Division = divisions[i%len(divisions)].id
	for _, role := range f.some(Role, 1, 2) {
		for _, in := range draw(f.rand, divisions, 1, 2) {
			u.Grants = append(u.Grants, Grant{role.id, in.id})
		}
	}
	for _, q := range f.some(Queue, 1, 3) {
		f.enrol(Queue, q, u.ID)
	}
	for _, g := range f.some(Group, 1, 2) {
		f.enrol(Group, g, u.ID)
	}
	if i%3 == 0 {
		u.Utilization = &Utilization{Media: map[string]Capacity{"chat": {MaximumCapacity: 1 + f.rand.IntN(5), InterruptableMediaTypes: []string{"call"}},
			"email": {MaximumCapacity: 2, InterruptableMediaTypes: []string{}}}}
	}
	u.Voicemail = Voicemail{Enabled: true, AlertTimeoutSeconds: 15 + 5*f.rand.IntN(5), SendEmailNotifications: f.rand.IntN(2) == 0}
	if i%2 == 0 {
		u.ExternalIDs = map[string]string{"hr": fmt.Sprintf("HR-%06d", i+1)}
		f.dir.index(r, nil, u.ExternalIDs)
	}
}
