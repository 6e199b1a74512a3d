package sim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// mostExternalIDs is "Limit 100 per entity" of the API's description.
const mostExternalIDs = 100

// wireExternalID is UserExternalIdentifier. Case counts in both names.
type wireExternalID struct {
	AuthorityName string `json:"authorityName"`
	ExternalKey   string `json:"externalKey"`
	SelfURI       string `json:"selfUri,omitempty"`
}

// externalIDs shows what other systems call a user, by system.
func (u *User) externalIDs() answer {
	list := []wireExternalID{}
	for _, authority := range slices.Sorted(maps.Keys(u.ExternalIDs)) {
		list = append(list, wireExternalID{authority, u.ExternalIDs[authority], "/api/v2/users/" + u.ID + "/externalid/" + authority})
	}
	return answer{status: http.StatusOK, body: list}
}

func (s *Server) getExternalIDs(req *request) answer {
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	return r.externalIDs()
}

// addExternalID adds a key. A pair belongs to one user, and here a user has one key of each authority.
func (s *Server) addExternalID(req *request) answer {
	if a := s.permitted("directory:user:edit"); a != nil {
		return *a
	}
	var body wireExternalID
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	if body.AuthorityName == "" || body.ExternalKey == "" {
		return *invalid("authorityName and externalKey are required")
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	key, has := r.ExternalIDs[body.AuthorityName]
	switch other := s.dir.foreign[foreignKey{body.AuthorityName, body.ExternalKey}]; {
	case has && key != body.ExternalKey:
		return *conflict(http.StatusConflict)
	case other != nil && other != r:
		return refuse(http.StatusConflict, "general.resource.conflict", "The external identifier is in use.")
	case has:
		return r.externalIDs()
	case len(r.ExternalIDs) >= mostExternalIDs:
		return *invalid("A user has %d external identifiers at most", mostExternalIDs)
	}
	s.changePart(r, func(u *User) {
		if u.ExternalIDs == nil {
			u.ExternalIDs = map[string]string{}
		}
		u.ExternalIDs[body.AuthorityName] = body.ExternalKey
	})
	return r.externalIDs()
}

func (s *Server) removeExternalID(req *request) answer {
	if a := s.permitted("directory:user:edit"); a != nil {
		return *a
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	authority := req.PathValue("authority")
	if strings.HasPrefix(authority, "x-pc:scimv2:v1") {
		return *invalid("The external identifier of authority %s cannot be changed", authority)
	}
	if key, has := r.ExternalIDs[authority]; !has || key != req.PathValue("key") {
		return notFound()
	}
	s.changePart(r, func(u *User) { delete(u.ExternalIDs, authority) })
	return noContent
}

// findExternalID is GET /users/externalid/{authority}/{key}.
func (s *Server) findExternalID(req *request) answer {
	if bad := onlyQuery(req, "expand"); bad != nil {
		return *bad
	}
	expand, bad := expandOf(req)
	if bad != nil {
		return *bad
	}
	r := s.dir.foreign[foreignKey{req.PathValue("authority"), req.PathValue("key")}]
	if r == nil || r.hidden || r.State == "deleted" {
		return notFound()
	}
	return answer{status: http.StatusOK, body: s.wire(&r.User, expand)}
}
