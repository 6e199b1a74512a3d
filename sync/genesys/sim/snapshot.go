package sim

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Snapshot is everything that is stored of the user with an address or id, as a JSON text: fields, own
// grants, direct memberships. Two are equal if and only if nothing is different but versions and Writes.
// Nothing and an empty list are the same. "": there is no such user.
func (s *Server) Snapshot(emailOrID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue(time.Now())
	r := s.dir.byID[emailOrID]
	if r == nil {
		r = s.dir.byEmail[strings.ToLower(emailOrID)]
	}
	if r == nil {
		return ""
	}
	u := r.clone()
	u.Version, u.Writes = 0, 0
	u.Voicemail = u.Voicemail.OrDefault()
	slices.SortFunc(u.Grants, func(a, b Grant) int { return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Division, b.Division)) })
	u.Certifications, u.Contacts, u.ProfileSkills = unlessEmpty(u.Certifications), unlessEmpty(u.Contacts), unlessEmpty(u.ProfileSkills)
	u.Locations, u.Grants = unlessEmpty(u.Locations), unlessEmpty(u.Grants)
	for _, m := range []*map[string]float64{&u.Skills, &u.Languages} {
		if len(*m) == 0 {
			*m = nil
		}
	}
	if len(u.ExternalIDs) == 0 {
		u.ExternalIDs = nil
	}
	all := struct {
		User
		Queues map[string]bool // by id; joined or not
		Groups []string        // ids
	}{u, map[string]bool{}, nil}
	for _, q := range s.stores[Queue].of[r.ID] {
		all.Queues[q.id] = q.members[r.ID]
	}
	for _, g := range s.stores[Group].of[r.ID] {
		all.Groups = append(all.Groups, g.id)
	}
	slices.Sort(all.Groups)
	data, _ := json.MarshalIndent(all, "", "  ") // there is nothing in it that cannot be one
	return string(data)
}

func unlessEmpty[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
