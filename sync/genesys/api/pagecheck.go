package api

import (
	"fmt"
	"maps"
	"slices"

	"usersyncd/spec/text"
	"usersyncd/sync/apply"
)

// unknown is a count that an answer does not tell.
const unknown = -1

// A pageCheck collects what the pages of one listing show, and finds where they contradict themselves or each
// other. Entries come and go while a large organization is listed: one may be shown twice or not at
// all, a total may change from page to page, and the last page may be empty by the time it is read.
type pageCheck struct {
	size   int // of a full page
	pages  map[int]pageFacts
	starts map[string]int // by the id that a page starts with: its number
}

// pageFacts is what one page says of the listing.
type pageFacts struct {
	ids              []string // in order
	listed           bool     // it has a list, be it empty
	total, pageCount int      // of all pages, or unknown
}

func newPageCheck(size int) pageCheck {
	return pageCheck{size: size, pages: map[int]pageFacts{}, starts: map[string]int{}}
}

// add records a page. It returns what is wrong with it, "" for nothing.
func (c *pageCheck) add(n int, f pageFacts) (problem string) {
	switch empty := len(f.ids) == 0; {
	case !f.listed && (f.total != 0 || f.pageCount > 0):
		return fmt.Sprintf("page %d has no list (%s)", n, f.counts())
	case empty && (n == 1 && f.total > 0 || f.pageCount > n):
		return fmt.Sprintf("page %d is empty (%s)", n, f.counts())
	case !empty:
		if other, again := c.starts[f.ids[0]]; again && slices.Equal(f.ids, c.pages[other].ids) {
			return fmt.Sprintf("page %d shows the same %d as page %d (%s)", n, len(f.ids), other, f.counts())
		}
		c.starts[f.ids[0]] = n
	}
	c.pages[n] = f
	return ""
}

// verdict looks at all pages together, see Reader.Verdict.
func (c *pageCheck) verdict(shown, limit int) (problem, gap string) {
	last := c.last()
	first, end := c.pages[1], c.pages[last]
	for _, n := range slices.Sorted(maps.Keys(c.pages)) {
		if len(c.pages[n].ids) == 0 && (n < last || n < end.pageCount) {
			return fmt.Sprintf("page %d is empty, and page %d shows %d (%s)", n, last, len(end.ids), end.counts()), ""
		}
	}
	// An entry that was added meanwhile need not be on any page, but is in the last total.
	total, atLeast := end.total, min(first.total, end.total)
	if atLeast == unknown {
		total = max(first.total, end.total)
		atLeast = total
	}
	if limit > 0 {
		total, atLeast = min(total, limit), min(atLeast, limit)
	}
	text := fmt.Sprintf("%d of %d were shown%s", shown, total, c.shortPages())
	switch {
	case apply.IsTruncated(shown, atLeast):
		return text, ""
	case total > shown:
		return "", text
	}
	return "", ""
}

// shortPages names the first page that shows fewer entries than its total says, and counts the others.
func (c *pageCheck) shortPages() string {
	first, others := "", 0
	for _, n := range slices.Sorted(maps.Keys(c.pages)) {
		f := c.pages[n]
		full := min(c.size, f.total-(n-1)*c.size) // negative if the total is unknown, or has shrunk
		switch {
		case len(f.ids) >= full:
		case first == "":
			first = fmt.Sprintf("; page %d shows %d of %d", n, len(f.ids), full)
		default:
			others++
		}
	}
	if others > 0 {
		first += ", and " + text.Count(others, "more page is short", "more pages are short")
	}
	return first
}

// count is how many pages there are, says the last one that tells; 0 if none does.
func (c *pageCheck) count() int {
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(c.pages))) {
		if f := c.pages[n]; f.pageCount > 0 && len(f.ids) > 0 {
			return f.pageCount
		}
	}
	return 0
}

// last is the number of the last page that shows anything, or 1.
func (c *pageCheck) last() int {
	last := 1
	for n, f := range c.pages {
		if len(f.ids) > 0 {
			last = max(last, n)
		}
	}
	return last
}

// endBefore reports whether a page says that the listing ends before the n-th.
func (f pageFacts) endBefore(n, size int) bool {
	if f.total == unknown {
		return f.pageCount != unknown && f.pageCount < n
	}
	return f.total <= (n-1)*size
}

// counts is what a page tells of all pages, for people.
func (f pageFacts) counts() string {
	text := "no total"
	if f.total != unknown {
		text = fmt.Sprintf("total %d", f.total)
	}
	if f.pageCount != unknown {
		text += fmt.Sprintf(", pageCount %d", f.pageCount)
	}
	return text
}
