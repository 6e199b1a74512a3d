package sim

import (
	"maps"
	"math"
	"net/http"
	"slices"
)

// ratingBatch is the most that one PATCH of skills or languages takes (the API's description of
// languages; of skills the vendor's Terraform provider).
const ratingBatch = 50

// rating is UserRoutingSkillPost and UserRoutingLanguagePost, and what else of the read models a client
// may send back. Everything but id and proficiency is read-only.
type rating struct {
	ID          string   `json:"id"`
	Proficiency *float64 `json:"proficiency"`
	Name        string   `json:"name"`
	State       string   `json:"state"`
	SkillURI    string   `json:"skillUri"`
	LanguageURI string   `json:"languageUri"`
	SelfURI     string   `json:"selfUri"`
}

// assignable is the permission to give a skill or a language.
func assignable(k Kind) string { return "routing:" + string(k) + ":assign" }

// rated are a user's skills or languages, to be changed.
func (u *User) rated(k Kind) map[string]float64 {
	to := &u.Skills
	if k == Language {
		to = &u.Languages
	}
	if *to == nil {
		*to = map[string]float64{}
	}
	return *to
}

// ratingsOf checks a list of ratings. A language's proficiency is rounded: the backend does so, says the
// schema of the vendor's Terraform provider.
func (s *Server) ratingsOf(k Kind, list []rating) (map[string]float64, *answer) {
	all := map[string]float64{}
	for _, r := range list {
		if s.stores[k].live(r.ID) == nil {
			return nil, invalid("%s [%s] does not exist", k, r.ID)
		}
		p, bad := proficiency(k, r.Proficiency)
		if bad != nil {
			return nil, bad
		}
		if _, twice := all[r.ID]; twice {
			return nil, invalid("%s [%s] is there more than once", k, r.ID)
		}
		all[r.ID] = p
	}
	return all, nil
}

func proficiency(k Kind, p *float64) (float64, *answer) {
	switch {
	case p == nil:
		return 0, invalid("proficiency is required")
	case *p < 0 || *p > 5:
		return 0, invalid("proficiency [%v] is not between 0.0 and 5.0", *p)
	case k == Language:
		return math.Round(*p), nil
	}
	return *p, nil
}

// rater begins the handling of a write.
func (s *Server) rater(req *request, k Kind) (*record, *answer) {
	if a := s.permitted(assignable(k)); a != nil {
		return nil, a
	}
	return s.owner(req)
}

func (s *Server) listRated(k Kind) handler {
	return func(req *request) answer {
		if bad := onlyQuery(req, "pageSize", "pageNumber", "sortOrder"); bad != nil {
			return *bad
		}
		r, bad := s.owner(req)
		if bad != nil {
			return *bad
		}
		all := s.ratings(k, &r.User)
		if bad := inOrder(req, all); bad != nil {
			return *bad
		}
		return paged(req, all, func(w wireRated) wireRated { return w })
	}
}

// addRated gives one, or another proficiency in one that is there.
func (s *Server) addRated(k Kind) handler {
	return func(req *request) answer {
		var body rating
		if bad := s.decode(req, &body); bad != nil {
			return *bad
		}
		r, bad := s.rater(req, k)
		if bad != nil {
			return *bad
		}
		one, bad := s.ratingsOf(k, []rating{body})
		if bad != nil {
			return *bad
		}
		s.changePart(r, func(u *User) { maps.Copy(u.rated(k), one) })
		return s.oneRated(k, r, body.ID)
	}
}

// setRated changes the proficiency in what the user has.
func (s *Server) setRated(k Kind) handler {
	return func(req *request) answer {
		var body rating
		if bad := s.decode(req, &body); bad != nil {
			return *bad
		}
		r, bad := s.rater(req, k)
		if bad != nil {
			return *bad
		}
		id := req.PathValue(string(k))
		if !r.refers(k, id) {
			return notFound()
		}
		p, bad := proficiency(k, body.Proficiency)
		if bad != nil {
			return *bad
		}
		if body.ID != "" && body.ID != id {
			return *invalid("id [%s] is not that of the path", body.ID)
		}
		s.changePart(r, func(u *User) { u.rated(k)[id] = p })
		return s.oneRated(k, r, id)
	}
}

func (s *Server) removeRated(k Kind) handler {
	return func(req *request) answer {
		r, bad := s.rater(req, k)
		if bad != nil {
			return *bad
		}
		id := req.PathValue(string(k))
		if !r.refers(k, id) {
			return notFound()
		}
		s.changePart(r, func(u *User) { delete(u.rated(k), id) })
		return noContent
	}
}

// bulkRated merges a list into what the user has, or replaces that.
func (s *Server) bulkRated(k Kind, most int, replace bool) handler {
	return func(req *request) answer {
		var body []rating
		if bad := s.decode(req, &body); bad != nil {
			return *bad
		}
		r, bad := s.rater(req, k)
		if bad != nil {
			return *bad
		}
		if body == nil {
			return *invalid("The body must be a list of %ss", k)
		}
		if len(body) > most {
			return *invalid("%d %ss are more than the maximum of %d", len(body), k, most)
		}
		all, bad := s.ratingsOf(k, body)
		if bad != nil {
			return *bad
		}
		s.changePart(r, func(u *User) {
			if replace {
				clear(u.rated(k))
			}
			maps.Copy(u.rated(k), all)
		})
		list := s.ratings(k, &r.User)
		p := page[wireRated]{Entities: list, PageSize: max(len(list), defaultPage), PageNumber: 1, Total: len(list)}
		p.finish(req)
		return answer{status: http.StatusOK, body: p}
	}
}

func (s *Server) oneRated(k Kind, r *record, id string) answer {
	list := s.ratings(k, &r.User)
	return answer{status: http.StatusOK, body: list[slices.IndexFunc(list, func(w wireRated) bool { return w.ID == id })]}
}
