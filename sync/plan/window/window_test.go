package window_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/sync/plan/window"

	_ "time/tzdata" // the tests do not depend on the machine's
)

func list(t testing.TB, windows ...string) (l window.List) {
	t.Helper()
	for _, text := range windows {
		w, err := window.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		l = append(l, w)
	}
	return l
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"Mon-Fri 20:00-06:00 Europe/Madrid":     "Mon-Fri 20:00-06:00 Europe/Madrid",
		"  sat,SUN  00:00-24:00\tUTC ":          "Sat,Sun 00:00-24:00 UTC",
		"Fri-Mon 22:00-00:00 Asia/Tokyo":        "Mon,Fri-Sun 22:00-24:00 Asia/Tokyo",
		"Mon-Sun 09:30-09:31 America/New_York":  "Mon-Sun 09:30-09:31 America/New_York",
		"Wed,Mon,Tue 23:59-00:01 Asia/Kolkata":  "Mon-Wed 23:59-00:01 Asia/Kolkata",
		"Sun-Mon,Wed-Wed 01:00-02:00 Etc/GMT+5": "Mon,Wed,Sun 01:00-02:00 Etc/GMT+5",
		"Tue-Mon 01:00-02:00 UTC":               "Mon-Sun 01:00-02:00 UTC",
	} {
		if got := list(t, text)[0].String(); got != want {
			t.Errorf("%q reads as %q, not %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"":                                     `"" is not a window: it needs days, hours and a time zone, such as 'Mon-Fri 20:00-06:00 Europe/Madrid'`,
		"Mon-Fri 20:00-06:00":                  `it needs days, hours and a time zone`,
		"Mon - Fri 20:00-06:00 UTC":            `it needs days, hours and a time zone`,
		"Monday 20:00-06:00 UTC":               `"Monday" in "Monday" is not a day: use Mon, Tue, Wed, Thu, Fri, Sat, Sun`,
		"Mon,,Tue 20:00-06:00 UTC":             `"" in "Mon,,Tue" is not a day`,
		"Mon- 20:00-06:00 UTC":                 `"" in "Mon-" is not a day`,
		"Mon-Tue-Wed 20:00-06:00 UTC":          `"Tue-Wed" in "Mon-Tue-Wed" is not a day`,
		"Mon 20:00 UTC":                        `"20:00" is not a range of hours, such as 20:00-06:00`,
		"Mon 8:00-09:00 UTC":                   `"8:00" is not a time of day: use HH:MM, from 00:00 to 24:00`,
		"Mon 20:60-22:00 UTC":                  `"20:60" is not a time of day`,
		"Mon 20:00-24:01 UTC":                  `"24:01" is not a time of day`,
		"Mon +1:00-02:00 UTC":                  `"+1:00" is not a time of day`,
		"Mon 20:00-20:00 UTC":                  `"20:00-20:00" begins and ends at the same time; a whole day is 00:00-24:00`,
		"Mon 24:00-06:00 UTC":                  `a window cannot begin at 24:00; use 00:00 of the next day`,
		"Mon 20:00-06:00 Europe/Madird":        `unknown time zone "Europe/Madird"; use a name of the IANA database, such as Europe/Madrid or UTC`,
		"Mon 20:00-06:00 ../../etc/passwd":     `unknown time zone`,
		"Mon 20:00-06:00 Local":                `the time zone "Local" depends on the machine`,
		"Mon 20:00-06:00 UTC;Tue 01:00-02:00 ": `it needs days, hours and a time zone`,
	} {
		if _, err := window.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; wanted %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"Mon-Fri 20:00-06:00 Europe/Madrid", "Sat,Sun 00:00-24:00 UTC", "Fri-Mon 22:00-00:00 Asia/Tokyo", "", "Mon 1:2-3:4 x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := window.Parse(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error that says nothing")
			}
			return
		}
		again, err := window.Parse(w.String())
		if err != nil || again.String() != w.String() {
			t.Errorf("%q prints as %q, and that as %q, %v", text, w, again, err)
		}
	})
}

// When the windows open and close, in UTC, from a moment on.
func TestOpensAndCloses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		windows []string
		from    string
		want    []string // opens, closes, opens, ...
	}{
		{"the night that begins on Friday ends on Saturday", []string{"Fri 22:00-06:00 UTC"}, "2026-11-26T00:00:00Z",
			[]string{"2026-11-27T22:00:00Z", "2026-11-28T06:00:00Z", "2026-12-04T22:00:00Z"}},
		{"in the zone's own time", []string{"Mon-Fri 20:00-06:00 Europe/Madrid"}, "2026-11-28T12:00:00Z",
			[]string{"2026-11-30T19:00:00Z", "2026-12-01T05:00:00Z", "2026-12-01T19:00:00Z"}},
		{"windows that touch are one", []string{"Mon 20:00-24:00 UTC", "Tue 00:00-06:00 UTC"}, "2026-11-29T00:00:00Z",
			[]string{"2026-11-30T20:00:00Z", "2026-12-01T06:00:00Z"}},
		{"windows that overlap, of two zones", []string{"Mon 20:00-22:00 UTC", "Mon 21:30-23:00 Europe/Madrid"}, "2026-11-29T00:00:00Z",
			[]string{"2026-11-30T20:00:00Z", "2026-11-30T22:00:00Z", "2026-12-07T20:00:00Z"}},
		{"an hour that is skipped in spring is in no window", []string{"Sun 02:15-02:45 Europe/Madrid"}, "2026-03-24T00:00:00Z",
			[]string{"2026-04-05T00:15:00Z", "2026-04-05T00:45:00Z"}},
		{"a window that begins in that hour is open after it", []string{"Sun 02:30-04:00 Europe/Madrid"}, "2026-03-24T00:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", "2026-04-05T00:30:00Z"}},
		{"one that ends in it ends before", []string{"Sat 22:00-02:30 Europe/Madrid"}, "2026-03-24T00:00:00Z",
			[]string{"2026-03-28T21:00:00Z", "2026-03-29T01:00:00Z", "2026-04-04T20:00:00Z"}},
		{"an hour that comes twice in autumn is in it twice", []string{"Sun 02:15-02:45 Europe/Madrid"}, "2026-10-24T00:00:00Z",
			[]string{"2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z", "2026-10-25T01:45:00Z", "2026-11-01T01:15:00Z"}},
		{"and a night is an hour longer", []string{"Sat 22:00-06:00 Europe/Madrid"}, "2026-10-24T00:00:00Z",
			[]string{"2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z", "2026-10-31T21:00:00Z"}},
		{"a clock that is changed at midnight", []string{"Mon-Sun 00:00-00:30 America/Santiago"}, "2026-09-05T12:00:00Z", // 24:00 becomes 01:00
			[]string{"2026-09-07T03:00:00Z", "2026-09-07T03:30:00Z"}},
		{"a day that was left out", []string{"Fri 10:00-11:00 Pacific/Apia"}, "2011-12-24T00:00:00Z",
			[]string{"2012-01-05T20:00:00Z", "2012-01-05T21:00:00Z"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := list(t, tt.windows...)
			at, err := time.Parse(time.RFC3339, tt.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range tt.want {
				if i%2 == 0 {
					at = s.Opens(at)
				} else {
					at = s.Closes(at)
				}
				got = append(got, at.UTC().Format(time.RFC3339))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var zones = []string{"UTC", "Europe/Madrid", "Europe/London", "Europe/Dublin", "America/New_York", "America/Santiago", "America/St_Johns", "Asia/Kolkata",
	"Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca", "Africa/Cairo", "Pacific/Chatham", "Pacific/Apia", "Asia/Tehran"}

func drawWindows(r *rapid.T) (texts []string) {
	clock := rapid.Custom(func(r *rapid.T) int {
		return rapid.OneOf(rapid.IntRange(0, 47), rapid.IntRange(0, 8)).Draw(r, "half hours")*30 + rapid.SampledFrom([]int{0, 0, 1, 17}).Draw(r, "minutes")
	})
	for range rapid.IntRange(1, 3).Draw(r, "windows") {
		from, to := clock.Draw(r, "from"), clock.Draw(r, "to")
		if from == to {
			to = 24 * 60
		}
		days := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}), 1, 7, rapid.ID).Draw(r, "days")
		texts = append(texts, fmt.Sprintf("%s %02d:%02d-%02d:%02d %s", strings.Join(days, ","), from/60, from%60, to/60, to%60, rapid.SampledFrom(zones).Draw(r, "zone")))
	}
	return texts
}

// A wall is a window, and a clock on the wall of its zone.
type wall struct {
	days     string
	from, to int64 // minutes
	zone     *time.Location
	offset   int64     // minutes
	changes  time.Time // when the clock is changed next
}

func newWall(t rapid.TB, text string) *wall {
	var w wall
	var hour, minute, toHour, toMinute int64
	parts := strings.Fields(text)
	if _, err := fmt.Sscanf(parts[1], "%d:%d-%d:%d", &hour, &minute, &toHour, &toMinute); err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	w.days, w.from, w.to, w.zone = parts[0], 60*hour+minute, 60*toHour+toMinute, zone
	return &w
}

// open is what a person would say: what does the clock show, and which day is it?
func (w *wall) open(at time.Time) bool {
	if !at.Before(w.changes) {
		_, seconds := at.In(w.zone).Zone()
		w.offset = int64(seconds) / 60
		if _, w.changes = at.In(w.zone).ZoneBounds(); w.changes.IsZero() {
			w.changes = at.AddDate(10, 0, 0)
		}
	}
	minutes := at.Unix()/60 + w.offset
	clock, day := minutes%(24*60), minutes/(24*60)
	is := func(day int64) bool { // the first day was a Thursday
		return strings.Contains(w.days, []string{"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"}[day%7])
	}
	if w.from < w.to {
		return w.from <= clock && clock < w.to && is(day)
	}
	return w.from <= clock && is(day) || clock < w.to && is(day-1)
}

// Minute by minute over a year, the windows are open when the clocks on the walls say so, and what is said to be
// the next opening or closing is the one that comes.
func TestWindowsMinuteByMinute(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		texts := drawWindows(r)
		s := list(t, texts...)
		var walls []*wall
		for _, text := range texts {
			walls = append(walls, newWall(r, text))
		}
		open := func(at time.Time) (is bool) {
			for _, w := range walls {
				is = w.open(at) || is
			}
			return is
		}
		year := rapid.IntRange(2024, 2031).Draw(r, "year")
		at, end := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC)
		was, opens, closes := open(at), s.Opens(at), s.Closes(at)
		for at = at.Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
			switch is := open(at); {
			case is && !was:
				if !opens.Equal(at) || s.Closes(at).Equal(at) {
					r.Fatalf("%v opens at %s, and is said to at %s", texts, at, opens)
				}
				was, opens, closes = is, s.Opens(at), s.Closes(at)
			case !is && was:
				if !closes.Equal(at) || !s.Opens(at).Equal(opens) {
					r.Fatalf("%v closes at %s, and is said to at %s", texts, at, closes)
				}
				was = is
			}
		}
	})
}

// From any moment, the next opening is later, it is open then, and it was closed just before.
func TestTheNextOpening(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := list(t, drawWindows(r)...)
		from := time.Unix(rapid.Int64Range(1.3e9, 2.5e9).Draw(r, "time"), rapid.Int64Range(0, 999_999_999).Draw(r, "nanoseconds"))
		isOpen := func(at time.Time) bool { return !s.Closes(at).Equal(at) }
		if closes := s.Closes(from); !closes.IsZero() && (closes.Before(from) || isOpen(closes) || closes.After(from) && !isOpen(closes.Add(-1))) {
			r.Fatalf("from %s it closes at %s", from, closes)
		}
		opens := s.Opens(from)
		if opens.IsZero() {
			if !s.Closes(from).IsZero() {
				r.Fatalf("from %s it never opens", from)
			}
			return
		}
		if !opens.After(from) || !isOpen(opens) || isOpen(opens.Add(-1)) {
			r.Fatalf("from %s it opens at %s", from, opens)
		}
	})
}

// On the last day of a leap year, package time ends a zone's bounds before the time that was asked about, where a
// zone goes by its rule and not by its table (golang/go#81583). The windows go on all the same.
func TestTheLastDayOfALeapYear(t *testing.T) {
	for _, zone := range zones {
		s := list(t, "Mon-Sun 20:00-06:00 "+zone)
		for _, year := range []int{2024, 2028, 2040} {
			for at := time.Date(year, 12, 30, 0, 0, 0, 0, time.UTC); at.Day() != 2; at = at.Add(7 * time.Hour) {
				opens, ahead := s.Opens(at), s.Opens(at).Sub(at)
				if clock := opens.Format("15:04"); clock != "20:00" || ahead <= 0 || ahead > 24*time.Hour {
					t.Errorf("from %s it opens at %s", at, opens)
				}
			}
		}
	}
}
