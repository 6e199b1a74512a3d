package notify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Receipt is what came of a test message. Its JSON is a contract: schema usersyncd.notify-test/v1.
type Receipt struct {
	Schema    string  `json:"schema"`
	Host      string  `json:"host"`
	Format    Format  `json:"format"`
	Title     string  `json:"title"`
	Delivered bool    `json:"delivered"`
	Status    int     `json:"status"` // of the answer; 0: none came
	Code      string  `json:"code,omitempty"`
	Error     string  `json:"error,omitempty"`
	Fix       string  `json:"fix,omitempty"`
	Seconds   float64 `json:"seconds"`
}

// Test sends one message that says that it is a test, once. The receipt is whole with an error, too.
func (n *Notifier) Test(ctx context.Context) (Receipt, error) {
	now := time.Now()
	m := Message{
		ID: fmt.Sprintf("%s-%d", kindTest, now.Unix()), Kind: kindTest, Status: info, At: now, Name: n.judge.name,
		Title: "this is a test",
		Text:  "Somebody ran usersyncd notify test. Nothing happened, and there is nothing to do: messages arrive here.",
	}.finish()
	a, err := n.send(ctx, m)
	r := Receipt{
		Schema: "usersyncd.notify-test/v1", Host: n.poster.target.Host(), Format: n.format, Title: m.headline(),
		Delivered: err == nil, Status: a.status, Code: a.code, Seconds: time.Since(now).Seconds(),
	}
	if err != nil {
		r.Error = err.Error()
	}
	if e, ok := errors.AsType[*DeliveryError](err); ok {
		r.Fix = e.Fix
	}
	return r, err
}
