package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"usersyncd/sync/control"
)

const (
	settle      = 30 * time.Second // how long an item lasts before it is told, and is gone before it counts as over
	flapping    = time.Hour        // an incident that returns within this time must be gone twice as long the next time,
	longestGone = time.Hour        // and this at most
	gather      = 15 * time.Minute // between news of an incident whose items come one by one
	outage      = 15 * time.Minute // without success, before passes that end early are told
	longPause   = 24 * time.Hour   // of a pause by a person, before it is told
)

// A judge says what there is to tell. It has no clock: the time is that of the statuses, which it is shown in
// their order.
type judge struct {
	name    string
	repeat  time.Duration // between reminders; 0: none
	details bool          // users are named, and errors quoted

	incidents map[string]*incident // by kind
}

// An incident is what is remembered of a kind, over or not.
type incident struct {
	id    string // "" unless it was told, and not yet as resolved
	began time.Time
	told  time.Time // when last
	users int       // how many then
	items map[string]*item

	over  time.Time // when the last one was resolved
	flaps int       // how often it came back soon after
}

type item struct {
	first, last time.Time // when it was seen
	told        time.Time // zero: not yet
}

// look returns what a status gives to tell.
func (j *judge) look(st *control.Status) []Message {
	if j.incidents == nil {
		j.incidents = map[string]*incident{}
	}
	var all []Message
	for _, k := range kinds() {
		in := j.incidents[k.name]
		if in == nil {
			in = &incident{items: map[string]*item{}}
			j.incidents[k.name] = in
		}
		if m := j.step(k, in, st); m != nil {
			m.Kind, m.ID, m.At = k.name, in.id, st.Now
			m.Name, m.API, m.Dir, m.Revision = j.name, st.API, st.Dir, st.Head
			all = append(all, m.finish())
			if m.Status == resolved {
				in.id = ""
			}
		}
	}
	return all
}

// step brings an incident up to date, and returns at most one message about it.
func (j *judge) step(k kind, in *incident, st *control.Status) *Message {
	now, seen := st.Now, k.seen(st)
	for _, name := range seen.items {
		if in.items[name] == nil {
			in.items[name] = &item{first: now}
		}
		in.items[name].last = now
	}
	if left := in.settle(k, seen, st, j.repeat); left == 0 {
		in.items = map[string]*item{}
		if in.id == "" {
			return nil
		}
		in.over = now
		return &Message{Status: resolved, Title: "Over: " + k.over, Text: fmt.Sprintf("It lasted %s.", span(now.Sub(in.began)))}
	}
	fresh, first := map[string]bool{}, now
	for _, name := range seen.items {
		it := in.items[name]
		if it.told.IsZero() && now.Sub(it.first) >= k.settle {
			fresh[name] = true
		}
		if it.first.Before(first) {
			first = it.first
		}
	}
	grown := seen.partial && seen.users >= 2*in.users // those who came may not be on the list
	reminder := false
	switch {
	case len(seen.items) == 0:
		return nil // it may be over; the end of the next pass will tell
	case in.id == "" && len(fresh) > 0:
		in.open(j, k, st, first)
	case in.id != "" && (len(fresh) > 0 || grown) && now.Sub(in.told) >= k.gather:
	case in.id != "" && j.repeat > 0 && now.Sub(in.told) >= j.repeat:
		reminder = true
	default:
		return nil
	}
	w := k.tell(st, fresh)
	if !j.details {
		w.quote, w.examples = "", nil
	}
	if reminder {
		w.title, w.text = "Still: "+w.title, fmt.Sprintf("It has lasted %s. ", span(now.Sub(in.began)))+w.text
	}
	for _, name := range seen.items {
		in.items[name].told = now // those that have not settled are in the message as well
	}
	in.told, in.users = now, seen.users
	return &Message{Status: firing, Reminder: reminder, Users: seen.users,
		Title: w.title, Text: join(w.text, w.quote), Fix: w.fix, Examples: w.examples}
}

// settle lets go of items that are gone, and returns how many are not. What has been told stays in memory
// until it may be told again, so that an item which comes and goes is not told each time.
func (in *incident) settle(k kind, seen seen, st *control.Status, repeat time.Duration) (left int) {
	linger := min(settle<<in.flaps, longestGone)
	for name, it := range in.items {
		absent := st.Now.Sub(it.last)
		// A pass that is under way, or ended early, may only not have come to it yet.
		gone := absent > 0 && !seen.partial && (k.sure || st.Success.After(it.last))
		switch {
		case !gone, !it.told.IsZero() && absent < linger:
			left++
		case it.told.IsZero(), repeat > 0 && st.Now.Sub(it.told) >= repeat:
			delete(in.items, name)
		}
	}
	return left
}

// open begins an incident.
func (in *incident) open(j *judge, k kind, st *control.Status, began time.Time) {
	if !in.over.IsZero() && st.Now.Sub(in.over) < flapping {
		in.flaps = min(in.flaps+1, 10)
	} else {
		in.flaps = 0
	}
	in.began = began
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %d", j.name, st.API, st.Dir, k.name, began.UnixNano()))
	in.id = k.name + "-" + hex.EncodeToString(sum[:6])
}
