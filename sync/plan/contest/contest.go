// Package contest detects fields that somebody else keeps changing back: two programs that want different values would change
// a field back and forth for ever. A field that was repaired three times within an hour is contested: it is not repaired for a
// pause, which doubles with each further repair. The contest ends when the spec changes the field, or when nobody has changed
// it back within an hour after a pause.
//
// A repair that is found reverted in the same way three times, however far apart, is told: nothing shows that it ever will stick.
package contest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

const (
	threshold    = 3 // repairs
	period       = time.Hour
	firstPause   = 15 * time.Minute
	longestPause = 6 * time.Hour
	memory       = 90 * 24 * time.Hour // of a repair that may be found reverted
)

// A Contest is a field of a user that somebody else keeps changing back.
type Contest struct {
	Email string     `json:"email"` // spec.User.Key
	Field spec.Field `json:"field"`
	Until time.Time  `json:"until"` // it is not repaired before, unless that reduces access; in UTC
}

// Compare orders contests by field and address.
func (a Contest) Compare(b Contest) int {
	return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Email, b.Email))
}

// Insert adds a contest to a sorted list, or replaces it.
func Insert(contests []Contest, now Contest) []Contest {
	i, found := slices.BinarySearchFunc(contests, now, Contest.Compare)
	if !found {
		return slices.Insert(contests, i, now)
	}
	contests[i] = now
	return contests
}

// Remaining returns the contests that may still go on, as far as is known without reading the fields.
func Remaining(contests []Contest, now time.Time) []Contest {
	return slices.DeleteFunc(slices.Clone(contests), func(c Contest) bool { return now.Sub(c.Until) >= period })
}

// Notes are warnings about a sorted list of contests, one for each field.
func Notes(contests []Contest) []string {
	var notes []string
	for i := 0; i < len(contests); {
		field := contests[i].Field
		var users []string
		for ; i < len(contests) && contests[i].Field == field; i++ {
			users = append(users, text.Escape(contests[i].Email))
		}
		how := "It is set again at longer and longer intervals"
		if slices.Contains([]spec.Field{spec.State, spec.Roles, spec.Groups, spec.Division}, field) {
			how += ", and in every pass if that reduces access"
		}
		notes = append(notes, fmt.Sprintf("%s is contested for %s: somebody else keeps changing it back. %s. Find the other program, or a second usersyncd, in the audit log of Genesys Cloud, or change the specs",
			field, text.List(users, 3, len(users)), how))
	}
	return notes
}

// Recent reports whether repairs still count. Those with a time in the future, because the clock was set back, do not.
func Recent(r state.Repair, now time.Time) bool {
	if len(r.At) == 0 {
		return false
	}
	age := now.Sub(r.At[len(r.At)-1])
	return age >= 0 && age < period+r.Pause
}

// Until reports whether a field of a user is contested, and when it is repaired next.
func Until(u *state.User, f spec.Field, now time.Time) (until time.Time, contested bool) {
	r, repaired := u.Repairs[f]
	if !repaired || r.Pause == 0 || !Recent(r, now) {
		return time.Time{}, false
	}
	return r.At[len(r.At)-1].Add(r.Pause), true
}

// Remembered reports whether a repair may still be found reverted.
func Remembered(r state.Repair, now time.Time) bool {
	return Recent(r, now) || len(r.At) > 0 && r.Found != "" && now.Sub(r.At[len(r.At)-1]).Abs() < memory
}

// Futile reports whether a field that was found with a value was changed back from it three times, one after the other.
func Futile(r state.Repair, found spec.Value) bool { return r.Times >= threshold && r.Found == found }

// FutileNote is a warning about the users of whom the repair of a field is futile.
func FutileNote(f spec.Field, users []string) string {
	slices.Sort(users)
	for i, u := range users {
		users[i] = text.Escape(u)
	}
	return fmt.Sprintf("%s of %s was changed back %d times or more, and is each time found as before: Genesys Cloud does not keep it, or something else sets it. It is changed back again; find out which, or change the specs",
		f, text.List(users, 3, len(users)), threshold)
}

// AddRepair adds a repair of a field that was found with a value.
func AddRepair(r state.Repair, found spec.Value, now time.Time) state.Repair {
	times := 1
	if r.Found == found {
		times += r.Times
	}
	if !Recent(r, now) {
		r = state.Repair{}
	}
	r.Found, r.Times = found, times
	paused := len(r.At) > 0 && now.Sub(r.At[len(r.At)-1]) < r.Pause
	at := slices.DeleteFunc(slices.Clone(r.At), func(t time.Time) bool { return t.After(now) || now.Sub(t) >= period })
	at = append(at, now)
	r.At = at[max(0, len(at)-threshold):]
	switch {
	case paused: // what reduces access is repaired during the pause, too
	case r.Pause > 0:
		r.Pause = min(2*r.Pause, longestPause)
	case len(r.At) == threshold:
		r.Pause = firstPause
	}
	return r
}
