package api

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec/text"
	"usersyncd/sync/apply"
)

const (
	unknown    = -1   // a count that an answer does not tell
	maxPages   = 4000 // of a listing: 100,000 users in the smallest pages
	maxRepeats = 3    // pages in a row with nothing new: one user with many roles may fill a page, too
)

// A pageCheck collects what the pages of one listing show, and finds where they contradict themselves or each
// other. Entries come and go while a large organization is listed: one may be shown twice or not at
// all, a total may change from page to page, and the last page may be empty by the time it is read.
type pageCheck struct {
	size    int // of a full page
	pages   map[int]pageFacts
	shown   map[[sha256.Size]byte]int // by the hash of the ids that a page shows: its number
	ids     map[string]struct{}       // of all pages
	repeats int                       // pages in a row that show no other ids
	longest int                       // entries of a page
	counted int                       // number of the last page with entries and a count of pages; 0: none
}

// pageFacts is what one page says of the listing.
type pageFacts struct {
	entries          int
	listed           bool // it has a list, be it empty
	total, pageCount int  // of all pages, or unknown
}

func newPageCheck(size int) pageCheck {
	return pageCheck{size: size, pages: map[int]pageFacts{}, shown: map[[sha256.Size]byte]int{}, ids: map[string]struct{}{}}
}

// add records a page and the ids that it shows. It returns what is wrong with it, "" for nothing.
func (c *pageCheck) add(n int, f pageFacts, ids []string) (problem string) {
	before := len(c.ids)
	for _, id := range ids {
		c.ids[id] = struct{}{}
	}
	switch empty := f.entries == 0; {
	case !f.listed && (f.total != 0 || f.pageCount > 0):
		return fmt.Sprintf("page %d has no list (%s)", n, f.counts())
	case empty && (n == 1 && f.total > 0 || f.pageCount > n):
		return fmt.Sprintf("page %d is empty (%s)", n, f.counts())
	case !empty:
		hash := sha256.Sum256([]byte(strings.Join(ids, "\x00")))
		if other, again := c.shown[hash]; again {
			return fmt.Sprintf("page %d shows the same %d as page %d (%s)", n, f.entries, other, f.counts())
		}
		c.shown[hash] = n
		if c.repeats++; len(c.ids) > before {
			c.repeats = 0
		}
		if c.repeats == maxRepeats {
			return fmt.Sprintf("page %d shows, as %d before it, what other pages show (%s)", n, maxRepeats-1, f.counts())
		}
	}
	if c.pages[n] = f; f.entries > 0 && f.pageCount > 0 {
		c.counted = max(c.counted, n)
	}
	c.longest = max(c.longest, f.entries)
	return ""
}

// verdict looks at all pages together, see Reader.Verdict.
func (c *pageCheck) verdict(shown, limit int) (problem, gap string) {
	last := c.last()
	first, end := c.pages[1], c.pages[last]
	for _, n := range slices.Sorted(maps.Keys(c.pages)) {
		if c.pages[n].entries == 0 && (n < last || n < end.pageCount) {
			return fmt.Sprintf("page %d is empty, and page %d shows %d (%s)", n, last, end.entries, end.counts()), ""
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
		case f.entries >= full:
		case first == "":
			first = fmt.Sprintf("; page %d shows %d of %d", n, f.entries, full)
		default:
			others++
		}
	}
	if others > 0 {
		first += ", and " + text.Count(others, "more page is short", "more pages are short")
	}
	return first
}

// count is how many pages there are, says the last one that tells; 0 if none does. They are no more than the total can fill.
func (c *pageCheck) count() int {
	switch f := c.pages[c.counted]; {
	case c.counted == 0:
		return 0
	case f.total == unknown:
		return f.pageCount
	default:
		return min(f.pageCount, max(1, (f.total+c.longest-1)/c.longest))
	}
}

// last is the number of the last page that shows anything, or 1.
func (c *pageCheck) last() int {
	last := 1
	for n, f := range c.pages {
		if f.entries > 0 {
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
