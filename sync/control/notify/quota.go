package notify

import (
	"fmt"
	"strings"
	"time"
)

const (
	quotaMessages = 10
	quotaSpan     = 10 * time.Minute
)

// A quota lets through at most quotaMessages in any quotaSpan. The rest becomes one message, as soon as there
// is room for it.
type quota struct {
	passed []time.Time
	more   digest
}

// A digest is what is left of messages that were not sent.
type digest struct {
	n      int
	titles []string // of the first ones
}

func (d *digest) add(m Message) {
	d.n++
	if len(d.titles) < maxExamples {
		d.titles = append(d.titles, m.Title)
	}
}

// take returns what of these may be sent now.
func (q *quota) take(now time.Time, all []Message) []Message {
	for len(q.passed) > 0 && now.Sub(q.passed[0]) >= quotaSpan {
		q.passed = q.passed[1:]
	}
	var out []Message
	if q.more.n > 0 && len(q.passed) < quotaMessages {
		q.passed = append(q.passed, now)
		out = append(out, q.more.message(kindMore, now, "left out, since there were too many at once"))
		q.more = digest{}
	}
	for _, m := range all {
		if len(q.passed) >= quotaMessages {
			q.more.add(m)
			continue
		}
		q.passed = append(q.passed, now)
		out = append(out, m)
	}
	return out
}

// message is the one that stands for those that were not sent.
func (d digest) message(kind string, now time.Time, why string) Message {
	first := ""
	if len(d.titles) > 0 {
		first = "The first: " + strings.Join(d.titles, "; ") + "."
	}
	return Message{
		ID: fmt.Sprintf("%s-%d", kind, now.Unix()), Kind: kind, Status: info, At: now,
		Title: fmt.Sprintf("%s %s", count(d.n, "more message was", "more messages were"), why),
		Text:  join(first, "What they told may be over by now."), Fix: "usersyncd status",
	}.finish()
}
