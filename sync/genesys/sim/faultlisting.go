package sim

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// What a fault of listings is about, and does, unless it says something else.
const (
	defaultListing = "/api/v2/users"
	defaultShape   = "empty"
)

// shapes are how a listing can contradict itself, besides short:N. The counts that a page tells stay right.
var shapes = []string{
	"empty-object", // every page is {}
	"null",         // every page has null for its entities
	"no-entities",  // no page has entities
	"empty",        // no page shows anybody
	"hole",         // the page before the last shows nobody, or the only one
	"repeat",       // every page shows what the first one does
}

// shortShape leaves out the last N of all pages together.
const shortShape = "short:"

func validShape(shape string) error {
	if n, short := strings.CutPrefix(shape, shortShape); short {
		if _, err := positive(n); err == nil {
			return nil
		}
	}
	if !slices.Contains(shapes, shape) {
		return errors.New("is not a shape of a listing: " + strings.Join(shapes, ", ") + ", or short:3")
	}
	return nil
}

// An oddListing is a listing that is read under a fault, from its first page on.
type oddListing struct {
	fault *Fault
	first json.RawMessage // the entities of the first page
}

// listingOf names what a request lists: its path, and its query without the page.
func listingOf(req *request) string {
	q := req.URL.Query()
	q.Del("pageNumber")
	q.Del("cursor")
	return req.Method + " " + req.URL.Path + "?" + q.Encode()
}

// begins reports whether a request is for the first page of a listing.
func begins(req *request) bool {
	q := req.URL.Query()
	return (!q.Has("pageNumber") || q.Get("pageNumber") == "1") && !q.Has("cursor")
}

// begin notes under which fault a listing is read, if any.
func (s *Server) begin(req *request, f *Fault) {
	switch {
	case !begins(req):
	case f != nil && f.Effect == Listing:
		s.listings[listingOf(req)] = &oddListing{fault: f}
	default:
		delete(s.listings, listingOf(req))
	}
}

// distort changes the answer with one page. An answer that is none stays as it is.
func (o *oddListing) distort(req *request, a answer) answer {
	data, err := json.Marshal(a.body)
	var body map[string]json.RawMessage
	if err != nil || a.status != http.StatusOK || json.Unmarshal(data, &body) != nil || body["entities"] == nil {
		return a
	}
	count := func(name string) (n int) {
		_ = json.Unmarshal(body[name], &n) // what is not told is 0
		return n
	}
	none := json.RawMessage("[]")
	switch o.fault.Shape {
	case "empty-object":
		clear(body)
	case "null":
		body["entities"] = json.RawMessage("null")
	case "no-entities":
		delete(body, "entities")
	case "empty":
		body["entities"] = none
	case "hole":
		if count("pageNumber") == max(count("pageCount")-1, 1) {
			body["entities"] = none
		}
	case "repeat":
		if begins(req) {
			o.first = body["entities"]
		}
		body["entities"] = o.first
	default:
		if body["total"] == nil { // nobody would notice
			return a
		}
		short, _ := positive(strings.TrimPrefix(o.fault.Shape, shortShape)) // validShape has seen to it
		var entities []json.RawMessage
		_ = json.Unmarshal(body["entities"], &entities) // it is a list
		left := count("total") - short - (count("pageNumber")-1)*count("pageSize")
		entities = entities[:min(max(left, 0), len(entities))]
		if body["entities"], err = json.Marshal(entities); err != nil {
			return a
		}
	}
	a.body = body
	return a
}
