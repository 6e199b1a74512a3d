package sim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// page is the envelope of a listing, such as UserEntityListing.
type page[T any] struct {
	Entities   []T    `json:"entities"`
	PageSize   int    `json:"pageSize"`
	PageNumber int    `json:"pageNumber"`
	Total      int    `json:"total"`
	PageCount  int    `json:"pageCount"`
	FirstURI   string `json:"firstUri,omitempty"`
	NextURI    string `json:"nextUri,omitempty"`
	PrevURI    string `json:"previousUri,omitempty"`
	LastURI    string `json:"lastUri,omitempty"`
	SelfURI    string `json:"selfUri,omitempty"`
}

// finish fills in what follows from the total.
func (p *page[T]) finish(req *request) {
	p.PageCount = (p.Total + p.PageSize - 1) / p.PageSize
	p.FirstURI, p.LastURI, p.SelfURI = pageURI(req, 1), pageURI(req, max(p.PageCount, 1)), pageURI(req, p.PageNumber)
	if p.PageNumber < p.PageCount {
		p.NextURI = pageURI(req, p.PageNumber+1)
	}
	if p.PageNumber > 1 {
		p.PrevURI = pageURI(req, p.PageNumber-1)
	}
}

// bare leaves the links out, which some envelopes do not have.
func (p *page[T]) bare() { p.FirstURI, p.NextURI, p.PrevURI, p.LastURI, p.SelfURI = "", "", "", "", "" }

// pageOf reads pageSize and pageNumber, and shows that part of a list.
func pageOf[T, W any](req *request, most int, all []T, show func(T) W) (p page[W], bad *answer) {
	p.Entities = []W{}
	if p.PageSize, bad = number(req, "pageSize", defaultPage, most); bad != nil {
		return p, bad
	}
	if p.PageNumber, bad = number(req, "pageNumber", 1, 1<<30); bad != nil {
		return p, bad
	}
	p.Total = len(all)
	first := min((p.PageNumber-1)*p.PageSize, len(all))
	for _, v := range all[first:min(first+p.PageSize, len(all))] {
		p.Entities = append(p.Entities, show(v))
	}
	p.finish(req)
	return p, nil
}

// paged answers with a page of a list.
func paged[T, W any](req *request, all []T, show func(T) W) answer {
	p, bad := pageOf(req, largestPage, all, show)
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: p}
}

// fits refuses a GET whose answer is larger than the API would send.
func (s *Server) fits(req *request, a answer) answer {
	if s.o.LargestAnswer == 0 || req.Method != http.MethodGet || a.status != http.StatusOK {
		return a
	}
	if data, _ := json.Marshal(a.body); len(data) <= s.o.LargestAnswer {
		return a
	}
	return refuse(http.StatusBadRequest, "response.entity.too.large",
		"The response is over the size limit. Reduce pageSize or expand list to reduce response size if applicable")
}

// inOrder turns a list round if sortOrder says so. The API's description spells the orders in two ways.
func inOrder[T any](req *request, list []T) *answer {
	order, bad := oneOf(req, "sortOrder", "ASC", "ASC", "DESC", "ascending", "descending")
	if order == "DESC" || order == "descending" {
		slices.Reverse(list)
	}
	return bad
}

func pageURI(req *request, n int) string { return another(req, "pageNumber", strconv.Itoa(n)) }

// another is the request's own path and query, with one parameter changed.
func another(req *request, name, value string) string {
	q := req.URL.Query()
	q.Set(name, value)
	return (&url.URL{Path: req.URL.Path, RawQuery: q.Encode()}).String()
}
