package aimd

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// quota is the description of the window in one response. Each part may be missing.
type quota struct {
	count, allowed                 int
	reset                          time.Duration
	hasCount, hasAllowed, hasReset bool
}

func (q quota) complete() bool { return q.hasCount && q.hasAllowed && q.hasReset }

// denies reports whether the headers say that the request they came with is one too many.
func (q quota) denies() bool {
	return q.hasAllowed && (q.allowed == 0 || q.hasCount && q.count > q.allowed)
}

// readQuota reads the three headers. A malformed one counts as missing; of several values the most careful is taken.
func readQuota(header map[string][]string) (q quota) {
	if _, n, ok := numbers(lookup(header, countHeader), whole); ok {
		q.count, q.hasCount = int(n), true
	}
	if n, _, ok := numbers(lookup(header, allowedHeader), whole); ok {
		q.allowed, q.hasAllowed = int(n), true
	}
	// A window longer than RetryAfterCap is not used.
	if _, n, ok := numbers(lookup(header, resetHeader), seconds); ok && toDuration(n) <= RetryAfterCap {
		q.reset, q.hasReset = toDuration(n), true
	}
	return q
}

// numbers parses comma-separated numbers and returns the smallest and the largest. It fails if one is malformed.
func numbers(values []string, parse func(string) (float64, bool)) (low, high float64, ok bool) {
	low = math.Inf(1)
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			n, valid := parse(strings.TrimSpace(part))
			if !valid {
				return 0, 0, false
			}
			low, high, ok = min(low, n), max(high, n), true
		}
	}
	return low, high, ok
}

// whole parses up to nine decimal digits.
func whole(s string) (float64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return float64(n), err == nil && len(s) <= 9
}

// seconds parses a decimal number of seconds without sign or exponent. More than a day is a day.
func seconds(s string) (float64, bool) {
	if strings.Trim(s, "0123456789.") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return min(f, longestPause.Seconds()), err == nil || math.IsInf(f, 1)
}

// retryAfter returns how long a Retry-After header asks to wait, 0 to 24 h: delta-seconds, a
// fraction, or any of the three forms of an HTTP date (RFC 9110, 5.6.7 and 10.2.3). A date is
// measured against the response's own Date, as our clock may be wrong. Of several valid values the
// longest is taken; a negative or malformed one counts as missing.
func retryAfter(header map[string][]string, now time.Time) (d time.Duration, ok bool) {
	for _, value := range lookup(header, "Retry-After") {
		value = strings.TrimSpace(value)
		n, valid := seconds(value)
		v := toDuration(n)
		if !valid {
			var until time.Time
			if until, valid = httpDate(value); valid {
				v = until.Sub(serverTime(header, now))
			}
		}
		if valid {
			d, ok = min(max(d, v), longestPause), true
		}
	}
	return d, ok
}

// serverTime returns the response's Date, or now if it has none.
func serverTime(header map[string][]string, now time.Time) time.Time {
	for _, value := range lookup(header, "Date") {
		if t, ok := httpDate(strings.TrimSpace(value)); ok {
			return t
		}
	}
	return now
}

// httpDate reads IMF-fixdate, RFC 850 and asctime dates.
func httpDate(s string) (time.Time, bool) {
	for _, layout := range [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// lookup returns the values of a header, whose key may be in any case.
func lookup(header map[string][]string, name string) (values []string) {
	for key, more := range header {
		if !strings.EqualFold(key, name) {
			continue
		}
		if values == nil {
			values = more // most have one; this costs no allocation
		} else {
			values = slices.Concat(values, more)
		}
	}
	return values
}
