package control

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// MaxConnections is how many connections a listener of the daemon has: its memory and descriptors are for its work.
const MaxConnections = 128

// connections are those of a server. One more than the limit takes the place of the one that has been waiting for a request the
// longest, so that idle clients do not keep a health check out; while all are being served it is refused.
type connections struct {
	most int

	mu   sync.Mutex
	turn uint64
	open map[net.Conn]uint64 // since which turn it waits for a request; 0: it is being served
}

// LimitConnections lets a server have so many connections.
func LimitConnections(server *http.Server, most int) {
	type key struct{}
	c := &connections{most: most, open: map[net.Conn]uint64{}}
	handler, inner := server.Handler, server.ConnContext
	server.ConnState = c.changed
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if inner != nil {
			ctx = inner(ctx, conn)
		}
		return context.WithValue(ctx, key{}, conn)
	}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(key{}).(net.Conn)
		c.serving(conn, true)
		defer c.serving(conn, false)
		handler.ServeHTTP(w, r)
	})
}

// serving tells that a request of a connection is being served, or that it waits for the next one.
func (c *connections) serving(conn net.Conn, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := c.open[conn]; !open {
		return // it was closed
	}
	if c.turn++; is {
		c.open[conn] = 0
	} else {
		c.open[conn] = c.turn
	}
}

// changed is called when a connection begins or ends, among others.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.turn++
		c.open[conn] = c.turn
		if len(c.open) > c.most {
			longest := conn
			for other, since := range c.open {
				if since > 0 && since < c.open[longest] {
					longest = other
				}
			}
			delete(c.open, longest)
			_ = longest.Close()
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}
