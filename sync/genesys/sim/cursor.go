package sim

import (
	"encoding/base64"
	"fmt"
	"net/http"
)

// cursorPage is UserCursorEntityListing. The last page has no cursor.
type cursorPage struct {
	Entities []wireUser `json:"entities"`
	Results  int        `json:"results"`
	Cursor   string     `json:"cursor,omitempty"`
	NextURI  string     `json:"nextUri,omitempty"`
	SelfURI  string     `json:"selfUri"`
}

// queryUsers is GET /users/query, which filters by no division: it wants the permission for all of them.
func (s *Server) queryUsers(req *request) answer {
	const permission = "directory:user:view"
	if a := s.permitted(permission); a != nil {
		return *a
	}
	if s.o.Hide > 0 {
		return *missing(permission)
	}
	if bad := onlyQuery(req, "cursor", "pageSize", "sortOrder", "expand", "state"); bad != nil {
		return *bad
	}
	sel, bad := s.selection(req, "ASC", "DESC")
	if bad != nil {
		return *bad
	}
	from, after := 0, req.URL.Query().Get("cursor")
	if after != "" {
		var ok bool
		if from, ok = sel.position(after); !ok {
			return *badQuery("cursor", after)
		}
	}

	p := cursorPage{Entities: []wireUser{}, SelfURI: req.URL.RequestURI()}
	for i, u := range s.all(sel) {
		switch {
		case after != "" && (i < from && !sel.down || i > from && sel.down):
		case p.Results == sel.size:
			p.Cursor = sel.cursor(i)
			p.NextURI = another(req, "cursor", p.Cursor)
			return answer{status: http.StatusOK, body: p}
		default:
			p.Results++
			p.Entities = append(p.Entities, s.entity(u, p.Results, sel.expand))
		}
	}
	return answer{status: http.StatusOK, body: p}
}

// cursor names the place where the next page begins. It is good for this state and order alone.
func (sel selection) cursor(place int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %t %d", sel.state, sel.down, place))
}

func (sel selection) position(cursor string) (place int, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, false
	}
	var state string
	var down bool
	_, err = fmt.Sscanf(string(text), "%s %t %d", &state, &down, &place)
	return place, err == nil && state == sel.state && down == sel.down
}
