package genesys_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"usersyncd/sync/apply"
)

// beyond answers a listing of 25,000 inactive users that stops at its cap: the pages after it are answered with a
// page, and the cursor with pages of its own.
func beyond(page reply, byCursor func(cursor string) reply) func(r *http.Request, _ string) reply {
	var full []string
	for n := range 20 {
		full = append(full, shown(people(500*n, 500*n+500), 10_600, 22))
	}
	return func(r *http.Request, _ string) reply {
		q := r.URL.Query()
		n, _ := strconv.Atoi(q.Get("pageNumber"))
		switch {
		case q.Get("state") == "active":
			return jsonReply(200, `{"entities":[],"total":0,"pageCount":0}`)
		case strings.HasSuffix(r.URL.Path, "/query"):
			return byCursor(q.Get("cursor"))
		case n > 20:
			return page
		}
		return jsonReply(200, full[n-1])
	}
}

func TestListingBeyondTheCap(t *testing.T) {
	cursors := func(pages ...string) func(string) reply {
		return func(cursor string) reply {
			n, _ := strconv.Atoi(cursor)
			return jsonReply(200, pages[n])
		}
	}
	byCursor := func(from, to, next int) string {
		return fmt.Sprintf(`{"entities":%s,"results":%d,"cursor":"%d"}`, people(from, to), to-from, next)
	}
	last := `{"entities":` + people(10_100, 10_600) + `,"results":500}`
	refused := jsonReply(400, `{"code":"bad.request"}`)
	for name, c := range map[string]struct {
		page     reply
		byCursor func(string) reply
		users    int
		gap      string // its beginning
		odd      string
	}{
		"400":                        {refused, cursors(byCursor(10_000, 10_100, 1), last), 10_600, "", ""},
		"an empty page":              {jsonReply(200, shown(`[]`, 10_600, 22)), cursors(byCursor(10_000, 10_100, 1), last), 10_600, "", ""},
		"no page":                    {jsonReply(200, `{"total":10600,"pageCount":22}`), cursors(byCursor(10_000, 10_100, 1), last), 10_600, "", ""},
		"a further cursor, empty":    {refused, cursors(byCursor(10_000, 10_100, 1), byCursor(10_100, 10_600, 2), byCursor(0, 0, 3)), 10_600, "", ""},
		"a few are missing":          {refused, cursors(byCursor(10_000, 10_100, 1), byCursor(10_100, 10_590, 2), byCursor(0, 0, 3)), 10_590, "inactive users: 10590 of 10600 were shown", ""},
		"not every division":         {refused, func(string) reply { return jsonReply(403, `{}`) }, 10_000, "inactive users: a listing shows 10000, and by cursor they cannot be read: GET /api/v2/users/query: forbidden", ""},
		"many are missing":           {refused, cursors(byCursor(0, 500, 1), byCursor(0, 0, 2)), 0, "", "10000 of 10600 were shown"},
		"an empty object":            {refused, cursors(byCursor(10_000, 10_100, 1), `{}`), 0, "", "page 2 has no list (no total)"},
		"results without entities":   {refused, cursors(`{"results":500}`), 0, "", "page 1 has no list (total 500)"},
		"the same page again":        {refused, cursors(byCursor(0, 500, 1), byCursor(0, 500, 2)), 0, "", "page 2 shows the same 500 as page 1"},
		"a cursor that goes nowhere": {refused, cursors(byCursor(0, 500, 1), byCursor(500, 1000, 1)), 0, "", "page 1 and page 2 are followed by the same"},
	} {
		f := &fake{api: beyond(c.page, c.byCursor)}
		d, _ := open(t, f, nil)
		l, err := list(t.Context(), d)
		switch {
		case c.odd != "":
			if !errors.Is(err, apply.ErrListing) || !strings.Contains(err.Error(), c.odd) {
				t.Errorf("%s: %d users, %v", name, len(l.Users), err)
			}
		case err != nil || len(l.Users) != c.users || l.Complete() != (c.gap == "") || !strings.HasPrefix(l.Gap+l.Cap, c.gap):
			t.Errorf("%s: %d users, complete %t, gap %q, %v", name, len(l.Users), l.Complete(), l.Gap+l.Cap, err)
		}
	}
}
