package web

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// A frame is what every stream sends next. It is made once for all of them.
type frame struct {
	data []byte        // a complete server-sent event; nil before the first
	next chan struct{} // closed when there is a newer one
}

// sample makes a frame every second until ctx ends.
func (l *Listener) sample(ctx context.Context) {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for failed := false; ; {
		err := l.step(time.Now())
		if err != nil && !failed {
			l.log.Error("status page cannot be updated", "error", err)
		}
		failed = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// step samples the status once, and gives the frame to the streams.
func (l *Listener) step(now time.Time) error {
	status := l.source.Status()
	sample := l.samples.add(now, &status.Limiter)
	data, err := marshal(struct {
		Build  string     `json:"build"` // of the page's files: another one means that the page is to be loaded again
		Sample Sample     `json:"sample"`
		Status pageStatus `json:"status"`
	}{l.assets.build, sample, newPageStatus(status)})
	if err != nil {
		return fmt.Errorf("writing the status as JSON: %w", err)
	}
	old := l.frame.Swap(&frame{data: fmt.Appendf(nil, "id: %d\ndata: %s\n\n", sample.Seq, data), next: make(chan struct{})})
	close(old.next)
	return nil
}

// serveEvents streams frames. A client that does not read loses its connection; one that reads slowly misses frames, and
// sees that from the numbers of the samples.
func (l *Listener) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	if r.Method == http.MethodHead {
		return
	}
	select {
	case l.streams <- struct{}{}:
		defer func() { <-l.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, fmt.Sprintf("%d status pages are open, which is the limit; close one", cap(l.streams)), http.StatusServiceUnavailable)
		return
	}
	control := http.NewResponseController(w)
	send := func(data []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(l.stall)); err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		return control.Flush()
	}
	if send([]byte("retry: 2000\n\n")) != nil {
		return
	}
	alive := time.NewTicker(l.heartbeat)
	defer alive.Stop()
	f := l.frame.Load()
	for data := f.data; ; {
		if data != nil && send(data) != nil {
			return
		}
		select {
		case <-f.next:
			f = l.frame.Load()
			data = f.data
			alive.Reset(l.heartbeat)
		case <-alive.C:
			data = []byte(": heartbeat\n\n")
		case <-r.Context().Done():
			return
		}
	}
}
