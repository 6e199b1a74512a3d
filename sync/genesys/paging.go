package genesys

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"usersyncd/sync/apply"
)

// page is one answer of a listing, in the envelope that all listings of the API share. What it does not tell is nil.
type page[T listed] struct {
	Entities  []T  `json:"entities"`  // nil: missing, or null
	Total     *int `json:"total"`     // of all pages
	PageCount *int `json:"pageCount"` // of all pages
}

// listed is what a listing shows.
type listed interface {
	key() string // its id, or whatever else it has of its own
	check() error
}

func (p page[T]) check() error {
	for _, e := range p.Entities {
		if err := e.check(); err != nil {
			return err
		}
		if e.key() == "" {
			return errors.New("an entry without an id")
		}
	}
	return nil
}

// facts is what the page says of the listing.
func (p page[T]) facts() pageFacts {
	f := pageFacts{ids: make([]string, len(p.Entities)), listed: p.Entities != nil, total: unknown, pageCount: unknown}
	for i, e := range p.Entities {
		f.ids[i] = e.key()
	}
	if p.Total != nil {
		f.total = *p.Total
	}
	if p.PageCount != nil {
		f.pageCount = *p.PageCount
	}
	return f
}

// A source is where a listing is read, and how.
type source struct {
	path   string     // with its variables named
	values []string   // of the variables
	query  url.Values // without the page
	needs  string     // the permission, for a 403
	noun   string     // what is listed, in the plural
	size   int        // of a page

	complete bool            // a few missing entries are an error, too
	noCounts bool            // the pages tell no count: one with fewer than size entities is the last
	limit    int             // after so many entities the API may stop, with a 400 or an empty page; 0: it does not
	parallel int             // pages under way together, once the first has told how many there are; 0: 1
	expect   func(pages int) // is told how many are still to come; may be nil
}

// inconsistent is the error of a listing that contradicts itself.
func (s source) inconsistent(problem string) error {
	r := request{method: http.MethodGet, path: s.path, values: s.values}
	return inconsistent(r.op(), s.noun+": "+problem)
}

func inconsistent(op, problem string) error {
	return &apply.CallError{Kind: apply.ErrListing, Op: op, Message: problem}
}

// A pager reads a listing page by page, and converts each entity into what is kept of it.
type pager[T listed, U any] struct {
	source
	client  *client
	convert func(T) U

	mu      sync.Mutex
	check   pageCheck
	pages   map[int][]U // converted as they come: what the API sends is larger
	done    bool
	atLimit bool // the API has stopped there
}

func newPager[T listed, U any](c *client, s source, convert func(T) U) *pager[T, U] {
	return &pager[T, U]{source: s, client: c, convert: convert, check: newPageCheck(s.size), pages: map[int][]U{}}
}

// run reads the first page alone, since it says how many there are, and then a few at a time. Without that
// number it goes on until a page is empty.
func (r *pager[T, U]) run(ctx context.Context) error {
	if err := r.read(ctx, 1); err != nil {
		return err
	}
	for n := 2; !r.isDone(); {
		to := r.count()
		if to == 0 { // not told
			to = n
		}
		if n > to {
			return nil
		}
		if err := r.readTo(ctx, n, to); err != nil {
			return err
		}
		n = to + 1
	}
	return nil
}

// readTo reads the pages from one to another, or to the end if that comes before.
func (r *pager[T, U]) readTo(ctx context.Context, from, to int) error {
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(max(r.parallel, 1))
	for n := from; n <= to && !r.isDone() && group.Err() == nil; n++ {
		if r.expect != nil {
			r.expect(to - n + 1)
		}
		g.Go(func() error { return r.read(group, n) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err() // else pages that were not begun would count as read
}

// read reads one page.
func (r *pager[T, U]) read(ctx context.Context, n int) error {
	query := url.Values{}
	maps.Copy(query, r.query)
	query.Set("pageSize", strconv.Itoa(r.size))
	query.Set("pageNumber", strconv.Itoa(n))
	p, err := call[page[T]](ctx, r.client, &request{method: http.MethodGet, path: r.path, values: r.values, query: query, needs: r.needs})
	kept, facts := make([]U, len(p.Entities)), p.facts()
	for i, e := range p.Entities {
		kept[i] = r.convert(e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	beyond := r.limit > 0 && n*r.size > r.limit
	e := (*apply.CallError)(nil)
	switch {
	case beyond && errors.As(err, &e) && e.Status == http.StatusBadRequest, beyond && err == nil && len(kept) == 0 && !facts.endBefore(n, r.size):
		r.done, r.atLimit = true, true
		return nil
	case err != nil:
		return err
	}
	if problem := r.check.add(n, facts); problem != "" {
		return r.inconsistent(problem)
	}
	r.pages[n] = kept
	r.done = r.done || len(kept) == 0 || r.noCounts && len(kept) < r.size
	return nil
}

func (r *pager[T, U]) isDone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

func (r *pager[T, U]) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.check.count()
}

// all returns what the pages showed, in their order.
func (r *pager[T, U]) all() []U {
	var pages [][]U
	for _, n := range slices.Sorted(maps.Keys(r.pages)) {
		pages = append(pages, r.pages[n])
	}
	return slices.Concat(pages...)
}

// readPages reads every page of a listing. A few missing entries are logged, unless it must be complete. An entry may
// be there twice and count twice, such as a user who has a role in two divisions.
func readPages[T listed](ctx context.Context, c *client, s source) ([]T, error) {
	return retryInconsistent(ctx, c.log, func() ([]T, error) {
		r := newPager(c, s, func(e T) T { return e })
		if err := r.run(ctx); err != nil {
			return nil, err
		}
		all := r.all()
		switch problem, gap := r.check.verdict(len(all), 0); {
		case problem != "", s.complete && gap != "":
			return nil, s.inconsistent(problem + gap)
		case gap != "":
			c.log.WarnContext(ctx, "a listing is not complete", "path", s.path, "gap", gap)
		}
		return all, nil
	})
}

// readList makes a read whose answer is a list without pages. An answer without the list is not an empty list.
func readList[T interface{ check() error }](ctx context.Context, c *client, r *request, has func(T) bool) (T, error) {
	return retryInconsistent(ctx, c.log, func() (T, error) {
		out, err := call[T](ctx, c, r)
		if err == nil && !has(out) {
			err = inconsistent(r.op(), "the answer has no list")
		}
		return out, err
	})
}

// retryInconsistent reads a list, and once more from the start if it contradicted itself.
func retryInconsistent[R any](ctx context.Context, log *slog.Logger, read func() (R, error)) (R, error) {
	out, err := read()
	if !errors.Is(err, apply.ErrListing) {
		return out, err
	}
	log.WarnContext(ctx, "an answer contradicts itself; it is asked for once more", "error", err)
	out, err = read()
	if e := (*apply.CallError)(nil); errors.Is(err, apply.ErrListing) && errors.As(err, &e) {
		e.Message += "; it was read twice, try again later"
	}
	return out, err
}
