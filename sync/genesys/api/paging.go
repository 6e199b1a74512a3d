package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"usersyncd/sync/apply"
)

// Entry is what a listing shows.
type Entry interface {
	Key() string // its id, or whatever else identifies it
}

// A Listing is a request that is answered in pages.
type Listing struct {
	Request                           // without the page
	What     string                   // what is listed, in the plural; the operation's Lists if empty
	Size     int                      // entries in a page; the operation's Most if 0
	Body     func(size, page int) any // of a POST: it names the page
	Parallel int                      // pages in flight, once the first has told how many there are; 0: 1
	Complete bool                     // it is an error if even a few entries are missing
	Expect   func(pages int)          // is told how many pages are still to come; may be nil
}

func (l *Listing) size() int { return cmp.Or(l.Size, l.Most) }

// Inconsistent is the error of a listing that contradicts itself.
func (l *Listing) Inconsistent(problem string) error {
	return inconsistent(&l.Request, cmp.Or(l.What, l.Lists)+": "+problem)
}

func inconsistent(r *Request, problem string) error {
	return &apply.CallError{Kind: apply.ErrListing, Op: r.String(), Message: problem}
}

// page is one answer of a listing: what is kept of it.
type page[U any] struct {
	facts  pageFacts
	ids    []string
	kept   []U
	cursor string // where the next page begins; "" after the last
}

// A Reader reads a listing page by page, and converts each entry into what is kept of it: what the API sends is larger.
type Reader[T Entry, U any] struct {
	Listing
	Take    func([]U) // is given what a page shows, one page at a time and of a reading that starts again, too; nil: All has it
	AtCap   bool      // the API has stopped at the operation's Cap
	client  *Client
	convert func(T) (U, error)

	mu     sync.Mutex
	size   int // of a page
	check  pageCheck
	pages  map[int][]U
	cursor string         // of the next page
	after  map[string]int // by cursor: the page that names it
	done   bool
}

// NewReader returns a reader that has read nothing yet.
func NewReader[T Entry, U any](c *Client, l Listing, convert func(T) (U, error)) *Reader[T, U] {
	return &Reader[T, U]{Listing: l, client: c, convert: convert}
}

// Read reads all pages. If one of them would be too large, it starts again with smaller ones, and uses nothing of the others.
func (r *Reader[T, U]) Read(ctx context.Context) error {
	for {
		r.size = r.client.pageSize(&r.Listing)
		r.check, r.pages, r.after = newPageCheck(r.size), map[int][]U{}, map[string]int{}
		r.cursor, r.done, r.AtCap = "", false, false
		if err := r.readPages(ctx); err == nil || !r.client.shrinkPages(ctx, &r.Listing, r.size, err) {
			return err
		}
	}
}

// readPages reads the first page alone, since it tells how many there are, and then a few at a time. If it does not tell, it
// goes on until a page is empty.
func (r *Reader[T, U]) readPages(ctx context.Context) error {
	if err := r.read(ctx, 1); err != nil {
		return err
	}
	for n := 2; n <= maxPages; {
		to, done := r.progress()
		if to == 0 && r.Body == nil { // not told; of a search it would be
			to = n
		}
		if done || n > to {
			return nil
		}
		to = min(to, maxPages)
		if err := r.readTo(ctx, n, to); err != nil {
			return err
		}
		n = to + 1
	}
	if to, done := r.progress(); done || to == maxPages {
		return nil
	}
	return r.Inconsistent(fmt.Sprintf("it does not end after %d pages", maxPages))
}

// readTo reads the pages from one to another, or to the end if that comes before.
func (r *Reader[T, U]) readTo(ctx context.Context, from, to int) error {
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(max(r.Parallel, 1))
	for n := from; n <= to && group.Err() == nil; n++ {
		if _, done := r.progress(); done {
			break
		}
		if r.Expect != nil {
			r.Expect(to - n + 1)
		}
		g.Go(func() error { return r.read(group, n) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err() // else pages that were not begun would count as read
}

// progress returns how many pages there are, 0 if that is not told, and whether the last one was read.
func (r *Reader[T, U]) progress() (pages int, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.check.count(), r.done
}

// read reads one page.
func (r *Reader[T, U]) read(ctx context.Context, n int) error {
	var p page[U]
	_, err := r.client.Send(ctx, r.request(n), func(body *Body) (err error) {
		p, err = r.decode(body)
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	beyond := r.Cap > 0 && n*r.size > r.Cap
	e := (*apply.CallError)(nil)
	switch {
	case beyond && errors.As(err, &e) && e.Status == http.StatusBadRequest && !IsTooLarge(err), beyond && err == nil && len(p.kept) == 0 && !p.facts.endBefore(n, r.size):
		r.done, r.AtCap = true, true
		return nil
	case err != nil:
		return err
	}
	if problem := r.check.add(n, p.facts, p.ids); problem != "" {
		return r.Inconsistent(problem)
	}
	if r.Take != nil {
		r.Take(p.kept)
	} else {
		r.pages[n] = p.kept
	}
	r.done = r.done || len(p.kept) == 0 || r.Uncounted && len(p.kept) < r.size || r.ByCursor && p.cursor == ""
	if other, again := r.after[p.cursor]; r.ByCursor && again && !r.done {
		return r.Inconsistent(fmt.Sprintf("page %d and page %d are followed by the same", other, n))
	}
	r.cursor, r.after[p.cursor] = p.cursor, n
	return nil
}

// request asks for one page.
func (r *Reader[T, U]) request(n int) *Request {
	request := r.Request
	if r.Body != nil {
		request.Body = r.Body(r.size, n)
		return &request
	}
	request.Query = url.Values{"pageSize": {strconv.Itoa(r.size)}}
	maps.Copy(request.Query, r.Query)
	switch {
	case !r.ByCursor:
		request.Query.Set("pageNumber", strconv.Itoa(n))
	case r.cursor != "":
		request.Query.Set("cursor", r.cursor)
	}
	return &request
}

// decode decodes a page, and converts its entries one by one. All listings of the API share the envelope.
func (r *Reader[T, U]) decode(body *Body) (p page[U], err error) {
	var total, pageCount *int
	list, others := "entities", map[string]any{"total": &total, "pageCount": &pageCount}
	switch {
	case r.Body != nil: // a search
		list = "results"
	case r.ByCursor:
		others = map[string]any{"results": &total, "cursor": &p.cursor, "pageCount": &pageCount} // results: of this page
	}
	p.facts.listed, err = body.Entries(list, func() error {
		var e T
		if err := body.Decode(&e); err != nil {
			return err
		}
		if e.Key() == "" {
			return errors.New("an entry without an id")
		}
		kept, err := r.convert(e)
		p.ids, p.kept = append(p.ids, e.Key()), append(p.kept, kept)
		return err
	}, others)
	p.facts.entries, p.facts.total, p.facts.pageCount = len(p.kept), told(total), told(pageCount)
	p.facts.listed = p.facts.listed || r.Body != nil && p.facts.total == 0 // without a hit the list may be left out
	return p, err
}

// told is a count, or unknown.
func told(n *int) int {
	if n == nil {
		return unknown
	}
	return *n
}

// All returns what the pages showed, in their order.
func (r *Reader[T, U]) All() []U {
	var pages [][]U
	for _, n := range slices.Sorted(maps.Keys(r.pages)) {
		pages = append(pages, r.pages[n])
	}
	return slices.Concat(pages...)
}

// Verdict compares how many entries the pages showed with how many they told: problem is what makes the listing useless,
// gap how many are missing and where. A limit, if it is not 0, is how many the API shows at most.
func (r *Reader[T, U]) Verdict(shown, limit int) (problem, gap string) {
	return r.check.verdict(shown, limit)
}

// Same converts nothing.
func Same[T Entry](e T) (T, error) { return e, nil }

// ReadAll reads every page of a listing. A few missing entries are logged, unless it must be complete. An entry may
// be there twice and count twice, such as a user who has a role in two divisions.
func ReadAll[T Entry, U any](ctx context.Context, c *Client, l Listing, convert func(T) (U, error)) ([]U, error) {
	return RetryInconsistent(ctx, c, func() ([]U, error) {
		r := NewReader(c, l, convert)
		if err := r.Read(ctx); err != nil {
			return nil, err
		}
		all := r.All()
		switch problem, gap := r.Verdict(len(all), 0); {
		case problem != "", l.Complete && gap != "":
			return nil, l.Inconsistent(problem + gap)
		case gap != "":
			c.options.Logger.WarnContext(ctx, "listing is incomplete", "path", root+l.Path, "gap", gap)
		}
		return all, nil
	})
}

// ReadList makes a read whose answer is a list without pages. An answer in which has finds no list is not an empty list.
func ReadList[T any](ctx context.Context, c *Client, r *Request, has func(T) bool) (T, error) {
	return RetryInconsistent(ctx, c, func() (T, error) {
		out, err := Call[T](ctx, c, r)
		if err == nil && !has(out) {
			err = inconsistent(r, "the answer has no list")
		}
		return out, err
	})
}

// RetryInconsistent reads a list, and once more from the start if it contradicted itself.
func RetryInconsistent[R any](ctx context.Context, c *Client, read func() (R, error)) (R, error) {
	out, err := read()
	if !errors.Is(err, apply.ErrListing) {
		return out, err
	}
	c.options.Logger.WarnContext(ctx, "inconsistent answer; reading it again", "error", err)
	out, err = read()
	if e := (*apply.CallError)(nil); errors.Is(err, apply.ErrListing) && errors.As(err, &e) {
		e.Message += "; it was read twice, try again later"
	}
	return out, err
}
