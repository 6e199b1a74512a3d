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
	Enforce    bool        `json:"enforcePermissions"`
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
	for _, e := range q.Expand {
		if !slices.Contains(expansions, e) {
			return *badQuery("expand", e)
		}
	}
	if q.PageSize == 0 {
		q.PageSize = defaultPage
	}
	if q.PageSize > 100 || q.PageSize < 1 || q.PageNumber < 0 {
		return *invalid("pageSize [%d] is not valid", q.PageSize)
	}
	byState := false
	for _, c := range q.Query {
		if !slices.Contains([]string{"EXACT", "STARTS_WITH", "CONTAINS", "TERM", "TERMS"}, c.Type) {
			return *invalid("Value [%s] is not valid for field type [type]", c.Type)
		}
		for _, f := range c.Fields {
			if f != "email" && f != "name" && f != "state" {
				return *invalid("field [%s] cannot be searched here", f)
			}
			byState = byState || f == "state"
		}
	}
	now := time.Now()
	p := searchPage{PageSize: q.PageSize, PageNumber: max(q.PageNumber, 1), Types: []string{"users"}, Results: []wireUser{}}
	for _, r := range s.dir.order {
		u := r.shown(now, s.o.IndexLag)
		if u == nil || !byState && u.State != "active" || slices.ContainsFunc(q.Query, func(c criterion) bool { return !c.matches(u) }) {
			continue
		}
		if p.Total >= (p.PageNumber-1)*p.PageSize && len(p.Results) < p.PageSize {
			p.Results = append(p.Results, u.wire(q.Expand))
		}
		p.Total++
	}
	p.PageCount = (p.Total + p.PageSize - 1) / p.PageSize
	return answer{status: http.StatusOK, body: p}
}

func (c criterion) matches(u *User) bool {
	wanted := c.Values
	if c.Value != nil {
		wanted = append(slices.Clone(wanted), *c.Value)
	}
	return slices.ContainsFunc(c.Fields, func(f string) bool {
		have := u.State
		switch f {
		case "email":
			have = u.Email
		case "name":
			have = u.Name
		}
		return slices.ContainsFunc(wanted, func(w string) bool {
			have, w := strings.ToLower(have), strings.ToLower(w)
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
