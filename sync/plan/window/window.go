// Package window parses change windows: hours on days of the week, in a time zone. A [List] of them says when the next one
// opens or closes.
package window

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Window is a range of hours on days of the week, in a time zone. It follows local time, also when the clock is changed: an
// hour that is skipped is in no window, and one that comes twice is in its windows both times.
type Window struct {
	days       [7]bool // by time.Weekday: on which it begins
	start, end int     // minutes since midnight; end is at most 24:00; if it is not after start, it is of the next day
	zone       *time.Location
}

// dayMinutes is the length of a day.
const dayMinutes = 24 * 60

const windowExample = "such as 'Mon-Fri 20:00-06:00 Europe/Madrid'"

// weekdays are the names of the days, in the order of the week.
var weekdays = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// Parse parses a window: days, hours and a time zone, such as "Mon-Fri 20:00-06:00 Europe/Madrid". Days are names, ranges
// (Fri-Mon, too) and lists of these, with commas. Hours past midnight belong to the day on which the window begins. The zone
// is a name of the IANA database, or UTC.
func Parse(text string) (Window, error) {
	parts := strings.Fields(text)
	if len(parts) != 3 {
		return Window{}, fmt.Errorf("%q is not a window: it needs days, hours and a time zone, %s", text, windowExample)
	}
	var w Window
	if err := w.parseDays(parts[0]); err != nil {
		return Window{}, err
	}
	from, to, ok := strings.Cut(parts[1], "-")
	if !ok {
		return Window{}, fmt.Errorf("%q is not a range of hours, such as 20:00-06:00", parts[1])
	}
	var err error
	if w.start, err = parseClock(from); err != nil {
		return Window{}, err
	}
	if w.end, err = parseClock(to); err != nil {
		return Window{}, err
	}
	switch {
	case w.start == dayMinutes:
		return Window{}, errors.New("a window cannot begin at 24:00; use 00:00 of the next day")
	case w.start == w.end:
		return Window{}, fmt.Errorf("%q begins and ends at the same time; a whole day is 00:00-24:00", parts[1])
	case w.end == 0:
		w.end = dayMinutes
	}
	if w.zone, err = parseZone(parts[2]); err != nil {
		return Window{}, err
	}
	return w, nil
}

func (w *Window) parseDays(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := parseDay(from, text)
		if err != nil {
			return err
		}
		last := first
		if isRange {
			if last, err = parseDay(to, text); err != nil {
				return err
			}
		}
		for day := first; ; day = (day + 1) % 7 {
			w.days[(day+1)%7] = true // weekdays begins on Monday, time.Weekday on Sunday
			if day == last {
				break
			}
		}
	}
	return nil
}

func parseDay(name, among string) (int, error) {
	for i, day := range weekdays {
		if strings.EqualFold(name, day) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q in %q is not a day: use %s, ranges such as Mon-Fri and lists such as Mon,Wed", name, among, strings.Join(weekdays, ", "))
}

// parseClock parses HH:MM, up to 24:00, as minutes since midnight.
func parseClock(text string) (int, error) {
	wrong := fmt.Errorf("%q is not a time of day: use HH:MM, from 00:00 to 24:00", text)
	if len(text) != len("00:00") || text[2] != ':' {
		return 0, wrong
	}
	hour, err := strconv.ParseUint(text[:2], 10, 8)
	minute, err2 := strconv.ParseUint(text[3:], 10, 8)
	at := int(60*hour + minute)
	if err != nil || err2 != nil || minute > 59 || at > dayMinutes {
		return 0, wrong
	}
	return at, nil
}

func parseZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New("the time zone \"Local\" depends on the machine; use a name such as Europe/Madrid or UTC")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q; use a name of the IANA database, such as Europe/Madrid or UTC", name)
	}
	return zone, nil
}

// String formats the window for Parse, with ranges of days where possible.
func (w Window) String() string {
	var days []string
	for i := 0; i < len(weekdays); i++ {
		from := i
		for i < len(weekdays) && w.days[(i+1)%7] {
			i++
		}
		switch i - from {
		case 0:
		case 1:
			days = append(days, weekdays[from])
		case 2:
			days = append(days, weekdays[from], weekdays[i-1])
		default:
			days = append(days, weekdays[from]+"-"+weekdays[i-1])
		}
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d %s", strings.Join(days, ","), w.start/60, w.start%60, w.end/60, w.end%60, w.zone)
}

// open reports whether t is in the window.
func (w Window) open(t time.Time) bool {
	t = t.In(w.zone)
	at, day := 60*t.Hour()+t.Minute(), t.Weekday()
	if w.start < w.end {
		return w.days[day] && w.start <= at && at < w.end
	}
	return w.days[day] && w.start <= at || w.days[(day+6)%7] && at < w.end
}

// nextEdge returns the next time after t at which the window may open or close: at its beginning or end by local time, or
// when the clock is changed.
func (w Window) nextEdge(t time.Time) time.Time {
	t = t.In(w.zone)
	_, offset := t.Zone()
	const day = 24 * 60 * 60
	since := ((t.Unix()+int64(offset))%day + day) % day // midnight, unless the clock is changed
	next := time.Time{}
	for _, at := range []int{w.start, w.end % dayMinutes} {
		ahead := int64(60*at) - since
		if ahead <= 0 {
			ahead += day
		}
		if e := time.Unix(t.Unix()+ahead, 0).In(w.zone); next.IsZero() || e.Before(next) {
			next = e
		}
	}
	// On the last day of a leap year the bounds may end before t (golang/go#81583). No clock is changed on that day.
	if _, changed := t.ZoneBounds(); changed.After(t) && changed.Before(next) {
		return changed
	}
	return next
}

// Format formats the time at which a window opens, for people.
func Format(t time.Time) string { return t.Format("Mon 2006-01-02 15:04 MST") }

// A List is the union of windows.
type List []Window

// horizon is how far ahead an opening is searched for: windows repeat every week, and a change of the clock removes at most
// one of their days.
const horizon = 22 * 24 * time.Hour

// nextEdge returns the next time at which any of the windows may open or close, within the horizon.
func (l List) nextEdge(t time.Time) time.Time {
	next := t.Add(horizon)
	for _, w := range l {
		if e := w.nextEdge(t); e.Before(next) {
			next = e
		}
	}
	return next
}

// open reports whether t is in one of the windows.
func (l List) open(t time.Time) bool {
	return slices.ContainsFunc(l, func(w Window) bool { return w.open(t) })
}

// Opens returns the first time after t at which one of the windows opens while all were closed before, in its zone; zero if
// there is none, because they are always open or the list is empty.
func (l List) Opens(t time.Time) time.Time {
	for was, at := l.open(t), l.nextEdge(t); at.Sub(t) < horizon; at = l.nextEdge(at) {
		i := slices.IndexFunc(l, func(w Window) bool { return w.open(at) })
		if i >= 0 && !was {
			return at.In(l[i].zone)
		}
		was = i >= 0
	}
	return time.Time{}
}

// Closes returns until when one of the windows is open: t if none is, zero if one always is or the list is empty.
func (l List) Closes(t time.Time) time.Time {
	if len(l) > 0 && !l.open(t) {
		return t
	}
	for at := l.nextEdge(t); at.Sub(t) < horizon; at = l.nextEdge(at) {
		if !l.open(at) {
			return at
		}
	}
	return time.Time{}
}
