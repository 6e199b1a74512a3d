package health

import (
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// A told source says what a test tells it.
type told struct {
	status atomic.Pointer[control.Status]
}

func fixed(s control.Status) *told {
	src := &told{}
	src.status.Store(&s)
	return src
}

func (t *told) Status() control.Status                   { return *t.status.Load() }
func (*told) Plan() []plan.Change                        { return nil }
func (*told) History(state.Query) ([]state.Event, error) { return nil, nil }

// healthy is a daemon between two passes, with everything in order; all that can be known of it is known.
func healthy(now time.Time) control.Status {
	return control.Status{
		Schema: "usersyncd.status/v1", Version: "v1.2.3", PID: 42, Now: now, Started: now.Add(-time.Hour),
		Status: usersync.Status{
			Phase: usersync.PhaseIdle, Began: now.Add(-31 * time.Second), Beat: now.Add(-time.Second), Moved: now.Add(-30 * time.Second), Success: now.Add(-30 * time.Second),
			Revision: "aaaa", Applied: &state.AppliedTree{Revision: "aaaa", At: now.Add(-time.Minute)}, Refresh: now.Add(-2 * time.Minute), Users: 500, InSync: 490,
			Totals: usersync.Totals{Passes: 60, FailedPasses: 1, PassSeconds: 71.5, Changes: map[plan.Outcome]uint64{plan.Applied: 40, plan.Failed: 2},
				Calls: usersync.Calls{Total: 1234, Reads: 1200, Writes: 34, Throttled: 3, Retried: 5}, Damaged: 8, Repairs: 21},
		},
		Pending: 1, Failed: 2, Held: 3, Quarantined: 4, Skipped: 5, Deferred: 6, Problems: 7, Contested: 9,
		Holds: []plan.Hold{{ID: "p-1", Guard: "max-removals", Users: []string{"a@example.com", "b@example.com", "c@example.com"}, Reason: "too many"}},
		Watch: control.Watch{Mode: "watching", Dirs: 12},
		Limiter: control.Limiter{Rate: 4.5, AIMD: 9, Reason: "paced", Windowed: true, Allowed: 300, Left: 212, Others: 18, Reset: 43, InFlight: 2, Expected: 11,
			Estimate: 2.5, Throttled: 3, Decreases: 1, Sent: 1234, Tokens: 1},
	}
}

// noted are the texts of a Status that metrics or health may show: ours, or a revision's.
var noted = []string{"Version", "Status.Revision", "Status.Applied.Revision", "Stuck"}

// spread puts a text into everything of a value that holds text, except for what is noted.
func spread(t *testing.T, v reflect.Value, path, text string) {
	t.Helper()
	if slices.Contains(noted, path) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		spread(t, v.Elem(), path, text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			spread(t, v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), text)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		spread(t, v.Index(0), path, text)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		spread(t, key, path, text)
		v.SetMapIndex(key, value)
	}
}
