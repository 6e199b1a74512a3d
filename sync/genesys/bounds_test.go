package genesys_test

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// Pages end, whatever they tell: a listing takes as many requests as its entries need, and a few.
func TestPagesEnd(t *testing.T) {
	const many = 1_000_000_000
	at := func(n int) string { return people(3*n, 3*n+3) }
	turned := func(n int) string { // the same six, in ever another order
		list := strings.Split(strings.Trim(people(0, 6), "[]"), ",{")
		var all []string
		for i, u := range list {
			if i > 0 {
				u = "{" + u
			}
			all = append(all, u)
		}
		for i := len(all) - 1; i > 0; i-- {
			j := n % (i + 1)
			n /= i + 1
			all[i], all[j] = all[j], all[i]
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	for name, c := range map[string]struct {
		page     func(n int) string
		requests int // at most
		users    int // 0: it is an error
	}{
		"new users, beyond the total": {func(n int) string { return shown(at(n), 7, many) }, 3, 9},
		"new users, without a total":  {func(n int) string { return shown(at(n), -1, many) }, 2 * 4003, 0},
		"the same users":              {func(int) string { return shown(at(1), 3, many) }, 1, 3},
		"the same, without a total":   {func(int) string { return shown(at(1), -1, many) }, 2 * 5, 0},
		"the same, in another order":  {func(n int) string { return shown(turned(n), -1, many) }, 2 * 8, 0},
		"the same, and many in all":   {func(n int) string { return shown(turned(n), many, many) }, 2 * 8, 0},
		"nobody":                      {func(n int) string { return shown(`[]`, -1, many) }, 2, 0},
		"then nobody":                 {func(n int) string { return shown([]string{`[]`, at(1)}[min(1, 1/n)], -1, many) }, 2 * 5, 0},
	} {
		f := &fake{api: func(r *http.Request, _ string) reply {
			q := r.URL.Query()
			n, _ := strconv.Atoi(q.Get("pageNumber"))
			if q.Get("state") == "inactive" {
				return jsonReply(200, shown(`[]`, 0, 0))
			}
			return jsonReply(200, c.page(n))
		}}
		d, limiter := open(t, f, func(o *api.Options) { o.PageSize = 3 })
		l, err := list(t.Context(), d)
		got := f.count("GET /api/v2/users")
		if c.users > 0 {
			got-- // those of inactive users
		}
		if got > c.requests || len(l.Users) != c.users || errors.Is(err, apply.ErrListing) != (c.users == 0) || err != nil && c.users > 0 {
			t.Errorf("%s: %d requests, %d users, %v", name, got, len(l.Users), err)
		}
		for _, n := range limiter.expected {
			if n > 4003 {
				t.Errorf("%s: the limiter is told of %d requests", name, n)
				break
			}
		}
	}
}

// An endless is a body of at most a gigabyte. It measures what is kept of it while it is read.
type endless struct {
	begin, again string
	sent, peak   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	if e.sent > 1<<30 {
		return 0, io.EOF
	}
	if e.sent < len(e.begin) {
		n = copy(p, e.begin[e.sent:])
	} else {
		n = copy(p, e.again[(e.sent-len(e.begin))%len(e.again):])
	}
	if e.sent>>22 != (e.sent+n)>>22 { // every 4 MiB
		e.peak = max(e.peak, heap())
	}
	e.sent += n
	return n, nil
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// An answer is decoded as it arrives, and given up where it is larger than its kind ever is. Nobody asks for it again.
func TestAnswersAreLimited(t *testing.T) {
	for name, c := range map[string]struct {
		begin, again string
		single       bool
		read, kept   int // MiB at most
	}{
		"a page without end":        {`{"entities":[{}`, `,{"id":"u","version":1,"x":"` + strings.Repeat("x", 5000) + `"}`, false, 17, 4},
		"small entries without end": {`{"entities":[{"id":"u0"}`, `,{"id":"u1"}`, false, 1, 4},
		"an entry without end":      {`{"entities":[{"id":"u0","name":"`, `xxxxxxxxxxxxxxxx`, false, 5, 6},
		"a member without end":      {`{"selfUri":"`, `xxxxxxxxxxxxxxxx`, false, 3, 6},
		"a user without end":        {`{"id":"u0","name":"`, `xxxxxxxxxxxxxxxx`, true, 5, 18},
		"an error without end":      {`{"message":"`, `xxxxxxxxxxxxxxxx`, true, 1, 1},
	} {
		var bodies []*endless
		f := &fake{api: func(*http.Request, string) reply {
			b := &endless{begin: strings.Replace(c.begin, "{}", `{"id":"u0"}`, 1), again: c.again}
			bodies = append(bodies, b)
			status := 200
			if strings.Contains(c.begin, "message") {
				status = 400
			}
			return reply{status: status, stream: b}
		}}
		d, _ := open(t, f, func(o *api.Options) { o.PageSize = 25 }) // pages are not made smaller
		before := heap()
		var err error
		if c.single {
			_, err = d.Get(t.Context(), "u0")
		} else {
			_, err = list(t.Context(), d)
		}
		if e := (*apply.CallError)(nil); !errors.As(err, &e) || api.IsTooLarge(err) != (e.Status == 200) || len(bodies) > 1 {
			t.Errorf("%s: %d requests, %v", name, len(bodies), err)
		}
		for _, b := range bodies {
			if b.sent > c.read<<20 || b.peak-before > c.kept<<20 {
				t.Errorf("%s: %d KiB were read, and %d kept", name, b.sent>>10, (b.peak-before)>>10)
			}
		}
	}
}

// An error quotes an answer that cannot be read in part.
func TestErrorsAreLimited(t *testing.T) {
	long := strings.Repeat("1", 100_000)
	for _, body := range []string{`{"id":"u1","version":"` + long + `"}`, `{"id":"u1","version":1` + long + `}`, `{"id":{"x":` + long + `}}`, `{"id":"u1","addresses":` + long + `}`} {
		d, _ := open(t, &fake{api: func(*http.Request, string) reply { return jsonReply(200, body) }}, tries(0))
		if _, err := d.Get(t.Context(), "u1"); !errors.Is(err, apply.ErrUncertain) || len(err.Error()) > 1000 {
			t.Errorf("%d bytes: %.300v", len(err.Error()), err)
		}
	}
}
