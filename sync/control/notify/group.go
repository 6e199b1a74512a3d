package notify

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"usersyncd/spec/text"
	"usersyncd/sync/control"
)

// Alertmanager's parameters; its repeat_interval is Options.RepeatInterval.
const (
	groupWait      = 30 * time.Second // how long an alert must last before it is sent
	groupInterval  = 15 * time.Minute // between two messages of an incident, at least
	resolveTimeout = 5 * time.Minute  // how long an alert that was sent must be absent before it is resolved
)

// A group is the alerts of one kind.
type group struct {
	alerts           map[string]alertState // by key
	startsAt, endsAt time.Time             // of the incident: when its first alert was seen, and its last
	notifiedAt       time.Time             // when its last message was delivered; zero: none was
	notBefore        time.Time             // no message before this time
}

type alertState struct {
	firstSeen, lastSeen time.Time
	notified            bool
}

// update adds the alerts of a status, and removes those that are gone. Absence alone does not show that: a pass that is
// under way, or has failed, may not have come to them.
func (g *group) update(alerts []alert, st *control.Status) {
	if len(alerts) > 0 {
		if g.endsAt = st.Now; len(g.alerts) == 0 && g.notifiedAt.IsZero() {
			g.alerts, g.startsAt = map[string]alertState{}, st.Now
		}
	}
	for _, a := range alerts {
		s, ok := g.alerts[a.key]
		if !ok {
			s.firstSeen = st.Now
		}
		s.lastSeen = st.Now
		g.alerts[a.key] = s
	}
	maps.DeleteFunc(g.alerts, func(_ string, s alertState) bool {
		return st.Success.After(s.lastSeen) && (!s.notified || st.Now.Sub(s.lastSeen) > resolveTimeout)
	})
}

// message returns the one that is due, or nil.
func (g *group) message(c condition, now time.Time, repeatInterval time.Duration, details bool) *Message {
	if now.Before(g.notBefore) {
		return nil
	}
	var fresh []alert
	due, notified := false, !g.notifiedAt.IsZero()
	for _, a := range c.alerts {
		if s := g.alerts[a.key]; !s.notified {
			fresh = append(fresh, a)
			due = due || now.Sub(s.firstSeen) >= groupWait
		}
	}
	switch {
	case due:
		m := c.message(fresh, details)
		if c.countsNew && notified && len(fresh) < c.Users {
			m.Title += fmt.Sprintf(", %d of them new", len(fresh))
		}
		return m
	case notified && len(g.alerts) == 0:
		return &Message{Status: resolved, Title: "Resolved: " + c.resolvedTitle, Text: "It lasted " + text.Duration(g.endsAt.Sub(g.startsAt)) + "."}
	case notified && len(c.alerts) > 0 && repeatInterval > 0 && now.Sub(g.notifiedAt) >= repeatInterval:
		m := c.message(c.alerts, details)
		m.Reminder, m.Title = true, "Still: "+m.Title
		m.Text = "It has lasted " + text.Duration(now.Sub(g.startsAt)) + ". " + m.Text
		return m
	}
	return nil
}

// id is the same for all messages of the incident.
func (g *group) id(kind string) string {
	return kind + "-" + strconv.FormatInt(g.startsAt.UnixNano(), 36)
}

// delivered records that a message was delivered.
func (g *group) delivered(m *Message, now time.Time) {
	if m.Status == resolved {
		*g = group{}
		return
	}
	g.notifiedAt, g.notBefore = now, now.Add(groupInterval)
	for key, s := range g.alerts {
		s.notified = s.notified || s.lastSeen.Equal(now)
		g.alerts[key] = s
	}
}
