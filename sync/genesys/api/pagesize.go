package api

import (
	"context"
	"errors"
	"net/http"

	"usersyncd/sync/apply"
)

// codeTooLarge is the 400 of an answer that would be too large, whatever was asked for: the vendor's description lists it
// for every operation, and advises smaller pages or fewer expands.
const codeTooLarge = "response.entity.too.large"

// IsTooLarge reports whether an answer is too large: the API refused to send it, or it was not read to its end.
func IsTooLarge(err error) bool {
	e := (*apply.CallError)(nil)
	return errors.As(err, &e) && e.Code == codeTooLarge || errors.Is(err, errTooLarge)
}

// pageSize is how many entries a page of the listing has: what it asks for, unless that was too large before.
func (c *Client) pageSize(l *Listing) int {
	size := l.size()
	if known, ok := c.pageSizes.Load(l.Operation); ok {
		size = min(size, known.(int))
	}
	return size
}

// shrinkPages makes the pages of the listing smaller, as long as the process runs, if err says that pages of this size were
// too large. It reports whether they are smaller now.
func (c *Client) shrinkPages(ctx context.Context, l *Listing, size int, err error) bool {
	next, e := 0, (*apply.CallError)(nil)
	switch {
	case IsTooLarge(err):
		for _, s := range [...]int{25, 50, 100, 250} {
			if s < size {
				next = s
			}
		}
	case errors.As(err, &e) && e.Status == http.StatusBadRequest && size > l.Fallback:
		next = l.Fallback
	}
	if next == 0 {
		return false
	}
	c.pageSizes.Store(l.Operation, next)
	c.options.Logger.InfoContext(ctx, "reading with smaller pages", "path", root+l.Path, "pageSize", next, "error", err)
	return true
}
