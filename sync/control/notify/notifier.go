package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"usersyncd/sync/control"
)

const (
	pollInterval    = 5 * time.Second
	minBackoff      = 2 * time.Second // doubles with each failed try
	maxBackoff      = 2 * time.Minute
	shutdownTimeout = 5 * time.Second // for what is due when the daemon stops
)

// Options are what a Notifier needs.
type Options struct {
	Target         Target
	Format         Format        // "": the one of the host
	Name           string        // of this installation
	RepeatInterval time.Duration // between reminders; 0: none
	Details        bool          // name users, and quote errors

	Source    control.Source    // what Run polls
	Log       *slog.Logger      // of Run
	Version   string            // of the program
	Transport http.RoundTripper // nil: the network
}

// A Notifier polls one source, and sends messages to one target.
type Notifier struct {
	opts   Options
	client *http.Client
	groups map[string]*group // by kind

	backoff time.Duration // after the last message was not delivered; 0: it was
	retryAt time.Time     // nothing is sent before
}

// New returns a Notifier that has sent nothing yet.
func New(o Options) (*Notifier, error) {
	if o.Target.IsZero() {
		return nil, errors.New("no webhook to notify")
	}
	o.Format = cmp.Or(o.Format, o.Target.Guess())
	if o.Transport == nil {
		o.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true} // messages are rare
	}
	return &Notifier{opts: o, groups: map[string]*group{}, client: &http.Client{
		Transport: o.Transport,
		// A redirect would send the message, and what it says of users, to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Run polls and sends until ctx ends, and then tries for up to shutdownTimeout to send what is due. It returns the error of
// ctx: that a message is not delivered is logged, and ends nothing.
func (n *Notifier) Run(ctx context.Context) error {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(shutdownTimeout, cancel) })()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var st control.Status
	for {
		select {
		case <-tick.C:
			st = n.opts.Source.Status()
			n.dispatch(sending, &st)
		case <-ctx.Done():
			n.retryAt = time.Time{}
			if undelivered := n.dispatch(sending, &st); undelivered > 0 {
				n.opts.Log.Warn("notifications not delivered before shutdown", "receiver", n.opts.Target, "messages", undelivered)
			}
			return ctx.Err()
		}
	}
}

// dispatch updates the groups, sends what is due, and returns how many messages were not delivered. A later call sends them
// as they are by then.
func (n *Notifier) dispatch(ctx context.Context, st *control.Status) (undelivered int) {
	for _, c := range conditions(st) {
		g := n.groups[c.Kind]
		if g == nil {
			g = &group{}
			n.groups[c.Kind] = g
		}
		g.update(c.alerts, st)
		m := g.message(c, st.Now, n.opts.RepeatInterval, n.opts.Details)
		if m == nil {
			continue
		}
		if time.Now().Before(n.retryAt) {
			undelivered++
			continue
		}
		m.ID, m.Kind, m.At, m.API, m.Dir, m.Revision = g.id(c.Kind), c.Kind, st.Now, st.API, st.Dir, st.Revision
		if _, _, err := n.post(ctx, m); err != nil {
			undelivered++
			g.notBefore = st.Now.Add(n.failed(m, err))
			continue
		}
		g.delivered(m, st.Now)
		if n.backoff > 0 {
			n.opts.Log.Info("notifications are delivered again", "receiver", n.opts.Target)
			n.backoff = 0
		}
	}
	return undelivered
}

// failed records that a message was not delivered. It returns how long its group is to wait: not at all, unless another try
// does not help. The log has one warning for each time that the receiver fails.
func (n *Notifier) failed(m *Message, err error) (wait time.Duration) {
	level := slog.LevelWarn
	if n.backoff > 0 {
		level = slog.LevelDebug
	}
	n.backoff = min(max(2*n.backoff, minBackoff), maxBackoff)
	attrs := []any{"receiver", n.opts.Target, "kind", m.Kind, "title", m.Title, "error", err}
	if e, ok := errors.AsType[*DeliveryError](err); ok {
		attrs = append(attrs, "fix", e.Fix)
		if e.retry {
			n.retryAt = time.Now().Add(max(n.backoff, e.after))
		} else {
			wait = groupInterval
		}
	}
	n.opts.Log.Log(context.Background(), level, "notification not delivered", attrs...)
	return wait
}

// Receipt is the result of a test message. Its JSON is a contract: schema usersyncd.notify-test/v1.
type Receipt struct {
	Schema    string  `json:"schema"`
	Host      string  `json:"host"`
	Format    Format  `json:"format"`
	Title     string  `json:"title"`
	Delivered bool    `json:"delivered"`
	Status    int     `json:"status"` // of the response; 0: there was none
	Code      string  `json:"code,omitempty"`
	Error     string  `json:"error,omitempty"`
	Fix       string  `json:"fix,omitempty"`
	Seconds   float64 `json:"seconds"`
}

// Test sends one message that says that it is a test, once. The receipt is complete with an error, too.
func (n *Notifier) Test(ctx context.Context) (Receipt, error) {
	now := time.Now()
	m := &Message{
		ID: fmt.Sprintf("test-%d", now.Unix()), Kind: "test", Status: info, At: now, Title: "this is a test",
		Text: "Somebody ran usersyncd notify test. There is nothing to do: messages arrive here.",
	}
	status, code, err := n.post(ctx, m)
	r := Receipt{
		Schema: "usersyncd.notify-test/v1", Host: n.opts.Target.Host(), Format: n.opts.Format, Title: m.headline(),
		Delivered: err == nil, Status: status, Code: code, Seconds: time.Since(now).Seconds(),
	}
	if err != nil {
		r.Error = err.Error()
	}
	if e, ok := errors.AsType[*DeliveryError](err); ok {
		r.Fix = e.Fix
	}
	return r, err
}
