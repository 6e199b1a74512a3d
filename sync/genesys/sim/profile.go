package sim

import (
	"net/http"
	"slices"
)

func (s *Server) getProfileSkills(req *request) answer {
	if a := s.permitted("directory:userProfile:view"); a != nil {
		return *a
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: copied(r.ProfileSkills)}
}

// putProfileSkills replaces the list, which is free text.
func (s *Server) putProfileSkills(req *request) answer {
	if a := s.permitted("directory:userProfile:edit"); a != nil {
		return *a
	}
	var list []string
	if bad := s.decode(req, &list); bad != nil {
		return *bad
	}
	if list == nil {
		return *invalid("The body must be a list of profile skills")
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	s.changePart(r, func(u *User) { u.ProfileSkills = list })
	return answer{status: http.StatusOK, body: copied(list)}
}

// placement is the API's Location as it is sent: by id, while it reads back in locationDefinition.
type placement struct {
	ID          string             `json:"id"`
	Notes       string             `json:"notes"`
	FloorplanID string             `json:"floorplanId"`
	Coordinates map[string]float64 `json:"coordinates"`
	AddedLater  string             `json:"addedLater"`
}

func (s *Server) checkPlaces(list []placement) *answer {
	for i, p := range list {
		if s.stores[Location].live(p.ID) == nil {
			return invalid("location [%s] does not exist", p.ID)
		}
		if slices.ContainsFunc(list[:i], func(other placement) bool { return other.ID == p.ID }) {
			return invalid("location [%s] is there more than once", p.ID)
		}
	}
	return nil
}

func placesOf(list []placement) []Place {
	all := []Place{}
	for _, p := range list {
		all = append(all, Place{p.ID, p.Notes, p.Coordinates, p.AddedLater})
	}
	return all
}
