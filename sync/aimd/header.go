package aimd

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// quota is what one response says about its window. Each part may be missing.
type quota struct {
	count, allowed                 int
	reset                          time.Duration
	hasCount, hasAllowed, hasReset bool
}

func (q quota) complete() bool { return q.hasCount && q.hasAllowed && q.hasReset }

// readQuota reads the three headers. One that is garbled counts as missing; of several values
// the most careful is taken.
func (cfg *Config) readQuota(header map[string][]string) (q quota) {
	for key, values := range header {
		switch {
		case strings.EqualFold(key, cfg.CountHeader):
			if n, ok := whole(values, true); ok {
				q.count, q.hasCount = max(q.count, n), true
			}
		case strings.EqualFold(key, cfg.AllowedHeader):
			if n, ok := whole(values, false); ok && (!q.hasAllowed || n < q.allowed) {
				q.allowed, q.hasAllowed = n, true
			}
		case strings.EqualFold(key, cfg.ResetHeader):
			// A window longer than we ever wait is not one we can use.
			if d, ok := longest(values); ok && d <= cfg.RetryAfterCap {
				q.reset, q.hasReset = max(q.reset, d), true
			}
		}
	}
	return q
}

// whole reads comma-separated whole numbers and returns the largest or the smallest.
func whole(values []string, largest bool) (n int, ok bool) {
	for _, value := range values {
		for more := true; more; {
			var part string
			part, value, more = strings.Cut(value, ",")
			v, valid := digits(strings.TrimSpace(part))
			if !valid {
				return 0, false
			}
			if !ok || (v > n) == largest {
				n, ok = v, true
			}
		}
	}
	return n, ok
}

// longest reads comma-separated seconds and returns the longest.
func longest(values []string) (d time.Duration, ok bool) {
	for _, value := range values {
		for more := true; more; {
			var part string
			part, value, more = strings.Cut(value, ",")
			v, valid := seconds(strings.TrimSpace(part))
			if !valid {
				return 0, false
			}
			d, ok = max(d, v), true
		}
	}
	return d, ok
}

// digits reads up to nine decimal digits, and nothing else.
func digits(s string) (n int, ok bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, true
}

// seconds reads a decimal number of seconds without sign or exponent. More than a day is a day.
func seconds(s string) (time.Duration, bool) {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && s[i] != '.' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 1) {
		return 0, false
	}
	return time.Duration(min(f, longestPause.Seconds()) * float64(time.Second)), true
}

// retryAfter returns how long a Retry-After header asks to wait, 0 to 24 h: delta-seconds, a
// fraction, or any of the three forms of an HTTP date (RFC 9110, 5.6.7 and 10.2.3). A date is
// measured against the response's own Date, as our clock may be wrong. Of several valid values the
// longest is taken; a negative or garbled one counts as missing.
func retryAfter(header map[string][]string, now time.Time) (d time.Duration, ok bool) {
	for _, value := range lookup(header, "Retry-After") {
		value = strings.TrimSpace(value)
		v, valid := seconds(value)
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

// lookup finds a header whatever the case of its key.
func lookup(header map[string][]string, name string) []string {
	if values, ok := header[name]; ok {
		return values
	}
	for key, values := range header {
		if strings.EqualFold(key, name) {
			return values
		}
	}
	return nil
}
