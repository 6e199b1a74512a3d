// Package window has change windows: hours on days of the week, in a time zone. [Parse] reads one, and a [List] says when
// the next of several opens or closes.
package window

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Window is when something may be done: from an hour to an hour, on days of the week, in a time zone. It goes
// by the clock on the wall there, and so do the two days of a year when that is changed: an hour that is
// skipped is in no window, and one that comes twice is in its windows both times.
type Window struct {
	days       [7]bool // by time.Weekday: on which it begins
	start, end int     // minutes since midnight; end is 24:00 at most, or not after start, and then of the day after
	zone       *time.Location
}

// whole is a day in minutes.
const whole = 24 * 60

const windowExample = "such as 'Mon-Fri 20:00-06:00 Europe/Madrid'"

// weekdays are the days as a window names them, in the order of the week.
var weekdays = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// Parse reads a window: days, hours and a time zone, such as "Mon-Fri 20:00-06:00 Europe/Madrid". Days
// are names, ranges (Fri-Mon too) and lists of these, with commas. Hours that pass midnight belong to the day
// on which they begin. The zone is a name of the IANA database, or UTC.
func Parse(text string) (Window, error) {
	parts := strings.Fields(text)
	if len(parts) != 3 {
		return Window{}, fmt.Errorf("%q is not a window: it takes days, hours and a time zone, %s", text, windowExample)
	}
	var w Window
	if err := w.parseDays(parts[0]); err != nil {
		return Window{}, err
	}
	from, to, ok := strings.Cut(parts[1], "-")
	if !ok {
		return Window{}, fmt.Errorf("%q is not from an hour to an hour, such as 20:00-06:00", parts[1])
	}
	var err error
	if w.start, err = parseClock(from); err != nil {
		return Window{}, err
	}
	if w.end, err = parseClock(to); err != nil {
		return Window{}, err
	}
	switch {
	case w.start == whole:
		return Window{}, errors.New("a window cannot begin at 24:00; say 00:00, and the day after")
	case w.start == w.end:
		return Window{}, fmt.Errorf("%q begins and ends at the same time; the whole day is 00:00-24:00", parts[1])
	case w.end == 0:
		w.end = whole
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
			w.days[(day+1)%7] = true // the week begins on Monday here, and on Sunday in package time
			if day == last {
				break
			}
		}
	}
	return nil
}

// parseDay returns the number of a day in weekdays.
func parseDay(name, among string) (int, error) {
	for i, day := range weekdays {
		if strings.EqualFold(name, day) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q in %q is not a day: they are %s; ranges such as Mon-Fri and lists such as Mon,Wed take these", name, among, strings.Join(weekdays, ", "))
}

// parseClock reads HH:MM, to 24:00, as minutes.
func parseClock(text string) (int, error) {
	wrong := fmt.Errorf("%q is not a time of the day: it is written HH:MM, from 00:00 to 24:00", text)
	if len(text) != len("00:00") || text[2] != ':' {
		return 0, wrong
	}
	hour, err := strconv.ParseUint(text[:2], 10, 8)
	minute, err2 := strconv.ParseUint(text[3:], 10, 8)
	at := int(60*hour + minute)
	if err != nil || err2 != nil || minute > 59 || at > whole {
		return 0, wrong
	}
	return at, nil
}

func parseZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New("which time zone is \"Local\"? Name it, such as Europe/Madrid or UTC: a window must not depend on the machine")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %q; a name of the IANA database is wanted, such as Europe/Madrid or UTC", name)
	}
	return zone, nil
}

// String is what Parse reads; days that follow each other are put together.
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

// edge returns the next time after t at which the window may open or close: when the clock shows its
// beginning or its end, or is changed.
func (w Window) edge(t time.Time) time.Time {
	t = t.In(w.zone)
	_, offset := t.Zone()
	const day = 24 * 60 * 60
	since := ((t.Unix()+int64(offset))%day + day) % day // midnight, as far as the clock is not changed
	next := time.Time{}
	for _, at := range []int{w.start, w.end % whole} {
		ahead := int64(60*at) - since
		if ahead <= 0 {
			ahead += day
		}
		if e := time.Unix(t.Unix()+ahead, 0).In(w.zone); next.IsZero() || e.Before(next) {
			next = e
		}
	}
	// On the last day of a leap year the bounds may end before t (golang/go#81583). No clock is changed on that
	// day, and from the next one on they are right again.
	if _, changed := t.ZoneBounds(); changed.After(t) && changed.Before(next) {
		return changed
	}
	return next
}

// Format shows people when a window opens, as the clock there will.
func Format(t time.Time) string { return t.Format("Mon 2006-01-02 15:04 MST") }

// A List is several windows, that count as one.
type List []Window

// horizon is how far ahead an opening is looked for: the same week comes again, and at most one of a window's
// days is lost when the clock is changed.
const horizon = 22 * 24 * time.Hour

// edge returns the next time at which any of the windows may open or close, within the horizon.
func (l List) edge(t time.Time) time.Time {
	next := t.Add(horizon)
	for _, w := range l {
		if e := w.edge(t); e.Before(next) {
			next = e
		}
	}
	return next
}

// open reports whether t is in one of the windows.
func (l List) open(t time.Time) bool {
	return slices.ContainsFunc(l, func(w Window) bool { return w.open(t) })
}

// Opens returns the first time after t at which one of the windows opens while all were closed before, in its
// zone; zero if they never do, as they are always open or there are none.
func (l List) Opens(t time.Time) time.Time {
	for was, at := l.open(t), l.edge(t); at.Sub(t) < horizon; at = l.edge(at) {
		i := slices.IndexFunc(l, func(w Window) bool { return w.open(at) })
		if i >= 0 && !was {
			return at.In(l[i].zone)
		}
		was = i >= 0
	}
	return time.Time{}
}

// Closes returns until when it stays so that one of the windows is open: t itself if none is, zero if one
// always is or there are none.
func (l List) Closes(t time.Time) time.Time {
	if len(l) > 0 && !l.open(t) {
		return t
	}
	for at := l.edge(t); at.Sub(t) < horizon; at = l.edge(at) {
		if !l.open(at) {
			return at
		}
	}
	return time.Time{}
}
