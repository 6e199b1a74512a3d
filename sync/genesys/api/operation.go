package api

import (
	"net/http"
	"net/url"
	"strings"
)

// An Operation is a request that the API offers: all that is known of it, in one row.
type Operation struct {
	Method string
	Path   string // below /api/v2, with its variables named, such as /users/{id}
	Params string // query parameters that are always sent, encoded

	// Needs lists the permissions that the OAuth client must have, all of them; "a or b" is either of two. Accepts lists
	// permissions that the vendor's description of the API names beside these: one of them replaces any of Needs.
	Needs, Accepts []string

	Asks       bool // a POST that only asks: it changes nothing, and is sent in read-only mode
	Repeatable bool // it has the same effect when it is sent twice: it carries no version, and does not depend on what was there
	Most       int  // entries in one request or, if it lists, in a page; 0 is one, or Options.PageSize

	Codes map[string]error // what a code of the API means here, where that differs from its meaning elsewhere: a kind of apply.CallError

	// Of an operation that lists.
	Lists     string // what, in the plural
	Uncounted bool   // its pages tell no total: one that is not full is the last
	ByCursor  bool   // a page names the next, and tells no total. One that is empty is taken for the last
	Fallback  int    // the size of a page after a 400 to a larger one; 0: none
	Cap       int    // the API may stop after so many entries, with a 400 or an empty page; 0: it does not
}

// root is what every path of the API begins with.
const root = "/api/v2"

// String is the method and the path, for people.
func (o *Operation) String() string { return o.Method + " " + o.Path }

// Writes reports whether the operation changes something. Such a request is never retried after an unclear outcome.
func (o *Operation) Writes() bool { return o.Method != http.MethodGet && !o.Asks }

// A Request is one request of an operation.
type Request struct {
	*Operation
	Args  []string   // the values of the path's variables, in their order
	Query url.Values // besides the operation's Params
	Body  any        // marshalled to JSON; nil for none
}

// String is the method and the path with its values, for errors.
func (r *Request) String() string { return r.Method + " " + r.target() }

// target is the whole path with the values of its variables, escaped.
func (r *Request) target() string {
	path := root + r.Path
	for _, v := range r.Args {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + url.PathEscape(v) + after // in which a brace is escaped, too
	}
	return path
}

// url is the whole address.
func (r *Request) url(base string) string {
	query := r.Params
	if more := r.Query.Encode(); query == "" || more == "" {
		query += more
	} else {
		query += "&" + more
	}
	if query != "" {
		query = "?" + query
	}
	return base + r.target() + query
}
