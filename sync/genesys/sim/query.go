package sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func badQuery(name, value string) *answer {
	a := refuse(http.StatusBadRequest, "invalid.query.param.value", "Value [%s] is not valid for query parameter [%s].", value, name)
	return &a
}

// onlyQuery refuses a parameter that an endpoint does not have. Those that go with an expansion which
// nobody here has are taken, and mean nothing.
func onlyQuery(req *request, names ...string) *answer {
	names = append(names, "integrationPresenceSource", "userCustomAttributeSchemaIds")
	for name, values := range req.URL.Query() {
		if !slices.Contains(names, name) {
			return badQuery(name, values[0])
		}
	}
	return nil
}

// list reads a parameter that may be repeated or joined with commas.
func list(req *request, name string) []string {
	var all []string
	for _, v := range req.URL.Query()[name] {
		all = append(all, strings.Split(v, ",")...)
	}
	return all
}

// expandOf reads expand.
func expandOf(req *request) ([]string, *answer) {
	expand := list(req, "expand")
	return expand, unknownExpansion(expand)
}

// oneOf reads a parameter that has a list of values; case does not count.
func oneOf(req *request, name, standard string, allowed ...string) (string, *answer) {
	v := req.URL.Query().Get(name)
	if v == "" {
		return standard, nil
	}
	if i := slices.IndexFunc(allowed, func(a string) bool { return strings.EqualFold(a, v) }); i >= 0 {
		return allowed[i], nil
	}
	return "", badQuery(name, v)
}

// number reads a parameter that is a positive number.
func number(req *request, name string, standard, most int) (int, *answer) {
	v := req.URL.Query().Get(name)
	if v == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		return 0, badQuery(name, v)
	}
	return n, nil
}

// truth reads a parameter that is true or false.
func truth(req *request, name string, standard bool) (bool, *answer) {
	v, bad := oneOf(req, name, strconv.FormatBool(standard), "true", "false")
	return v == "true", bad
}
