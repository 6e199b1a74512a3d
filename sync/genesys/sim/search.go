package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// searchRequest is UserSearchRequest, as far as it is understood here.
type searchRequest struct {
	SortOrder  string      `json:"sortOrder"`
	SortBy     string      `json:"sortBy"`
	PageSize   int         `json:"pageSize"`
	PageNumber int         `json:"pageNumber"`
	Expand     []string    `json:"expand"`
	Query      []criterion `json:"query"`
	Enforce    bool        `json:"enforcePermissions"` // always, here
}

type criterion struct {
	Type     string   `json:"type"`
	Fields   []string `json:"fields"`
	Value    *string  `json:"value"`
	Values   []string `json:"values"`
	Operator string   `json:"operator"`
}

// searchPage is UsersSearchResponse; its list is called results.
type searchPage struct {
	Total      int        `json:"total"`
	PageCount  int        `json:"pageCount"`
	PageSize   int        `json:"pageSize"`
	PageNumber int        `json:"pageNumber"`
	Types      []string   `json:"types"`
	Results    []wireUser `json:"results"`
}

// searchUsers answers from an index that lags behind.
func (s *Server) searchUsers(req *request) answer {
	if a := s.permitted("directory:user:view"); a != nil {
		return *a
	}
	var q searchRequest
	if bad := s.decode(req, &q); bad != nil {
		return *bad
	}
	if bad := s.checkSearch(&q); bad != nil {
		return *bad
	}
	now, byState := time.Now(), slices.ContainsFunc(q.Query, func(c criterion) bool { return slices.Contains(c.Fields, "state") })
	var found []*User
	for _, r := range s.candidates(q.Query) {
		u := r.shown(now, s.o.IndexLag)
		if u == nil || r.hidden || !byState && u.State != "active" {
			continue
		}
		if !slices.ContainsFunc(q.Query, func(c criterion) bool { return c.matches(u) == (c.Operator == "NOT") }) {
			found = append(found, u)
		}
	}
	if q.SortBy != "" {
		slices.SortStableFunc(found, func(a, b *User) int { return strings.Compare(a.fold(q.SortBy), b.fold(q.SortBy)) })
	}
	if q.SortOrder == "DESC" {
		slices.Reverse(found)
	}
	p := searchPage{Total: len(found), PageCount: (len(found) + q.PageSize - 1) / q.PageSize, PageSize: q.PageSize, PageNumber: q.PageNumber,
		Types: []string{"users"}, Results: []wireUser{}}
	first := min((q.PageNumber-1)*q.PageSize, len(found))
	for _, u := range found[first:min(first+q.PageSize, len(found))] {
		p.Results = append(p.Results, s.wire(u, q.Expand))
	}
	return answer{status: http.StatusOK, body: p}
}

// checkSearch refuses what is wrong and what is not simulated, and puts in what is not said.
func (s *Server) checkSearch(q *searchRequest) *answer {
	if bad := unknownExpansion(q.Expand); bad != nil {
		return bad
	}
	q.PageSize, q.PageNumber = orElse(q.PageSize, defaultPage), orElse(q.PageNumber, 1)
	if q.PageSize == 0 {
		q.PageSize = defaultPage
	}
	switch {
	case q.PageSize < 1 || q.PageSize > s.o.SearchPage || q.PageNumber < 1 || q.PageNumber > 1<<30:
		return invalid("page [%d] of size [%d] is not valid", q.PageNumber, q.PageSize)
	case !slices.Contains([]string{"", "ASC", "DESC"}, q.SortOrder):
		return notAllowed(q.SortOrder, "sortOrder", "ASC", "DESC")
	case !slices.Contains([]string{"", "email", "name"}, q.SortBy):
		return notAllowed(q.SortBy, "sortBy", "email", "name")
	}
	for _, c := range q.Query {
		switch {
		case !slices.Contains([]string{"EXACT", "STARTS_WITH", "CONTAINS", "TERM", "TERMS"}, c.Type):
			return notAllowed(c.Type, "type", "EXACT", "STARTS_WITH", "CONTAINS", "TERM", "TERMS")
		case !slices.Contains([]string{"", "AND", "NOT"}, c.Operator):
			return notAllowed(c.Operator, "operator", "AND", "NOT")
		case len(c.Fields) == 0 || c.Value == nil && len(c.Values) == 0:
			return invalid("a criterion needs fields, and a value or values")
		case len(c.Values) > s.o.SearchValues:
			a := refuse(http.StatusBadRequest, "search.criteria.values.exceed.limit", "%d values are more than the maximum of %d", len(c.Values), s.o.SearchValues)
			return &a
		}
		for _, f := range c.Fields {
			if !slices.Contains([]string{"email", "name", "state"}, f) {
				return notAllowed(f, "fields", "email", "name", "state")
			}
		}
	}
	return nil
}

// candidates are the users to look at: a search for an address need not look at all.
func (s *Server) candidates(query []criterion) []*record {
	for _, c := range query {
		if c.Type == "EXACT" && slices.Equal(c.Fields, []string{"email"}) && c.Operator != "NOT" {
			few := slices.Clone(s.dir.moved)
			for _, email := range c.wanted() {
				if r := s.dir.byEmail[strings.ToLower(email)]; r != nil && !slices.Contains(few, r) {
					few = append(few, r)
				}
			}
			return few
		}
	}
	return s.dir.order
}

func (c criterion) wanted() []string {
	if c.Value == nil {
		return c.Values
	}
	return append(slices.Clone(c.Values), *c.Value)
}

// fold is a field that can be searched, in lower case.
func (u *User) fold(field string) string {
	switch field {
	case "email":
		return strings.ToLower(u.Email)
	case "name":
		return strings.ToLower(u.Name)
	}
	return u.State
}

func (c criterion) matches(u *User) bool {
	return slices.ContainsFunc(c.Fields, func(f string) bool {
		have := u.fold(f)
		return slices.ContainsFunc(c.wanted(), func(w string) bool {
			w = strings.ToLower(w)
			switch c.Type {
			case "STARTS_WITH":
				return strings.HasPrefix(have, w)
			case "CONTAINS":
				return strings.Contains(have, w)
			case "TERM", "TERMS":
				return slices.Contains(strings.Fields(have), w)
			}
			return have == w
		})
	})
}
