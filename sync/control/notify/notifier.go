package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"usersyncd/sync/control"
)

const (
	lookEvery  = 5 * time.Second
	queueSize  = 64
	maxTries   = 8                // of one message: some four minutes, and what the receiver asks for
	firstWait  = 2 * time.Second  // before the second; doubles
	longWait   = 2 * time.Minute  // between two
	lostAgain  = 10 * time.Minute // between tries to say what was lost
	lastEffort = 5 * time.Second  // for what is queued when the daemon ends
)

// Options are what a Notifier needs.
type Options struct {
	Target  Target
	Format  Format // "": the one that the host takes
	Name    string // of this installation, for who gets messages of several
	Repeat  time.Duration
	Details bool // users are named, and errors quoted

	Source    control.Source    // what Run looks at
	Log       *slog.Logger      // nil: none
	Version   string            // of the program
	Transport http.RoundTripper // nil: the network
}

// A Notifier watches one source, and tells one target.
type Notifier struct {
	source control.Source
	format Format
	judge  judge
	quota  quota
	poster poster
	log    *slog.Logger

	overflow atomic.Int64 // messages that found the queue full
}

// New returns a Notifier that has said nothing yet.
func New(o Options) (*Notifier, error) {
	if o.Target.IsZero() {
		return nil, errors.New("no webhook to notify")
	}
	if o.Repeat < 0 {
		return nil, fmt.Errorf("a reminder every %s makes no sense", o.Repeat)
	}
	format := cmp.Or(o.Format, o.Target.Guess())
	if _, err := render(Message{}, format); err != nil {
		return nil, err
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Notifier{
		source: o.Source, format: format, log: o.Log,
		judge: judge{name: o.Name, repeat: o.Repeat, details: o.Details},
		poster: poster{target: o.Target, version: cmp.Or(o.Version, "unknown"), client: &http.Client{
			Transport: o.Transport,
			// A redirect would carry the message to somebody else, and what is learned of users with it.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}},
	}, nil
}

// Run looks and tells until ctx ends, and then tries for five seconds to send what is queued. It returns the
// error of ctx: that a message is not delivered is for the log, and ends nothing.
func (n *Notifier) Run(ctx context.Context) error {
	queue := make(chan Message, queueSize)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastEffort, cancel) })()

	done := make(chan struct{})
	go func() {
		defer close(done)
		n.deliver(ctx, work, queue)
	}()
	n.watch(ctx, queue)
	close(queue)
	<-done
	return ctx.Err()
}

// watch puts into the queue what there is to tell. It never waits for the queue.
func (n *Notifier) watch(ctx context.Context, queue chan<- Message) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		st := n.source.Status()
		for _, m := range n.quota.take(st.Now, n.judge.look(&st)) {
			select {
			case queue <- m:
			default:
				n.overflow.Add(1)
			}
		}
	}
}

// deliver sends what is queued, in order, until the queue is closed and empty. What cannot be delivered is
// counted, and told as soon as something can be. ctx ends when there is no more time for second tries, work
// when there is none for first ones.
func (n *Notifier) deliver(ctx, work context.Context, queue <-chan Message) {
	var lost digest
	for {
		var again <-chan time.Time
		if lost.n > 0 {
			again = time.After(lostAgain)
		}
		var m Message
		open := true
		select {
		case m, open = <-queue:
		case <-again:
		}
		if open && m.Kind != "" {
			if err := n.persist(ctx, work, m); err != nil {
				n.lose(&lost, m, err)
				continue
			}
		}
		lost.n += int(n.overflow.Swap(0))
		if lost.n > 0 && work.Err() == nil {
			n.confess(work, &lost)
		}
		if !open {
			if lost.n > 0 {
				n.log.Warn("notifications were not delivered before the end", "receiver", n.poster.target, "messages", lost.n)
			}
			return
		}
	}
}

// lose notes that a message is lost. The log has one line for each time that the receiver fails.
func (n *Notifier) lose(lost *digest, m Message, err error) {
	level := slog.LevelDebug
	if lost.n == 0 {
		level = slog.LevelWarn
	}
	lost.add(m)
	attrs := []any{"receiver", n.poster.target, "kind", m.Kind, "title", m.Title, "error", err}
	if e, ok := errors.AsType[*DeliveryError](err); ok && e.Fix != "" {
		attrs = append(attrs, "fix", e.Fix)
	}
	n.log.Log(context.Background(), level, "a notification was not delivered", attrs...)
}

// confess says what was lost, if the receiver takes it now.
func (n *Notifier) confess(work context.Context, lost *digest) {
	m := lost.message(kindLost, time.Now(), "not delivered")
	m.Name = clean(n.judge.name, maxPlace)
	if _, err := n.send(work, m); err != nil {
		n.log.Debug("what was lost could not be told either", "receiver", n.poster.target, "error", err)
		return
	}
	n.log.Info("notifications are delivered again", "receiver", n.poster.target, "lost", lost.n)
	*lost = digest{}
}

// persist sends a message, and tries again if that may help.
func (n *Notifier) persist(ctx, work context.Context, m Message) error {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: firstWait, Multiplier: 2, MaxInterval: longWait, RandomizationFactor: backoff.DefaultRandomizationFactor,
	}
	pauses.Reset()
	for try := 1; ; try++ {
		last := ctx.Err() != nil || try == maxTries
		_, err := n.send(work, m)
		e, ok := errors.AsType[*DeliveryError](err)
		if err == nil || !ok || !e.again || last {
			return err
		}
		wait := max(pauses.NextBackOff(), e.after)
		n.log.Debug("a notification is tried again", "receiver", n.poster.target, "kind", m.Kind, "pause", wait.Round(time.Second).String(), "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done(): // one more try, at once
			timer.Stop()
		}
	}
}

// send makes one try.
func (n *Notifier) send(ctx context.Context, m Message) (answer, error) {
	body, err := render(m, n.format)
	if err != nil {
		return answer{}, err
	}
	return n.poster.post(ctx, body)
}
