package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

const (
	// silenceLimit is how long a read waits for a service that does not answer, with all attempts and the pauses between them.
	silenceLimit = 45 * time.Second
	shortestTry  = 5 * time.Second // of these
	// sayAfter is how long nobody may answer until the log says so.
	sayAfter = 10 * time.Second
)

// A silence tells the log, once, that nobody answers, and that somebody does again.
type silence struct {
	log  *slog.Logger
	last atomic.Int64 // when an answer came, in Unix nanoseconds
	said atomic.Bool
}

// watch is called with a request that is sent; answered, with its result.
func (s *silence) watch(ctx context.Context, request string) (answered func(error)) {
	timer := time.AfterFunc(sayAfter, func() {
		if time.Since(time.Unix(0, s.last.Load())) >= sayAfter && s.said.CompareAndSwap(false, true) {
			s.log.WarnContext(ctx, "no answer yet", "request", request, "seconds", sayAfter.Seconds())
		}
	})
	return func(err error) {
		if timer.Stop(); err != nil {
			return
		}
		if s.last.Store(time.Now().UnixNano()); s.said.CompareAndSwap(true, false) {
			s.log.InfoContext(ctx, "requests are answered again")
		}
	}
}

// isTimeout reports whether an error says that nobody answered.
func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
