package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// A Client calls a daemon through its socket.
type Client struct {
	path string
	http *http.Client
}

// Dial returns a client of the daemon that listens on path, or ErrNoDaemon.
func Dial(ctx context.Context, path string) (*Client, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%w on %s: the path is too long for a socket", ErrNoDaemon, path)
	}
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EINVAL): // a path too long for any socket
		return nil, fmt.Errorf("%w on %s", ErrNoDaemon, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: only the socket's owner and group may use it; try with sudo", err)
	case err != nil:
		return nil, err
	}
	_ = conn.Close()
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}}, nil
}

// Close closes the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status returns the daemon's status.
func (c *Client) Status(ctx context.Context) (control.Status, error) {
	return call[control.Status](ctx, c, "status", nil)
}

// Explain explains the state of the user with an address.
func (c *Client) Explain(ctx context.Context, email string) (*usersync.Explanation, error) {
	return call[*usersync.Explanation](ctx, c, "explain", email)
}

// History returns what was written, the newest first.
func (c *Client) History(ctx context.Context, q state.Query) ([]state.Event, error) {
	return call[[]state.Event](ctx, c, "history", q)
}

// Sync has the daemon make a pass, and waits for it.
func (c *Client) Sync(ctx context.Context, refresh bool) (*usersync.Result, error) {
	return call[*usersync.Result](ctx, c, "sync", refresh)
}

// Pause makes the passes change nothing.
func (c *Client) Pause(ctx context.Context, reason string) error {
	_, err := call[any](ctx, c, "pause", reason)
	return err
}

// Resume ends a pause, and reports whether there was one.
func (c *Client) Resume(ctx context.Context) (bool, error) { return call[bool](ctx, c, "resume", nil) }

// Release lets through what is held under an id.
func (c *Client) Release(ctx context.Context, id string) (plan.Hold, error) {
	return call[plan.Hold](ctx, c, "release", id)
}

// Rollback plans a rollback or, with the id of its plan, carries it out.
func (c *Client) Rollback(ctx context.Context, rollback plan.Rollback, planID string) (*usersync.Result, error) {
	return call[*usersync.Result](ctx, c, "rollback", rollbackArgs{rollback, planID})
}

func call[R any](ctx context.Context, c *Client, method string, args any) (R, error) {
	var r response[R]
	body, err := c.send(ctx, method, args)
	if err != nil {
		return r.Result, err
	}
	defer func() { _ = body.Close() }() // read to its end, or given up
	if err := json.NewDecoder(body).Decode(&r); err != nil {
		return r.Result, c.noResponse(err)
	}
	if r.Error != nil {
		return r.Result, r.Error
	}
	return r.Result, nil
}

// send calls a method, and returns the body of the response.
func (c *Client) send(ctx context.Context, method string, args any) (io.ReadCloser, error) {
	data, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://usersyncd"+routes+method, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.noResponse(errors.Unwrap(err))
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close() // it is of no use
		return nil, fmt.Errorf("the daemon on %s responded %s to %q; is it of another version? Then restart it", c.path, resp.Status, method)
	}
	return resp.Body, nil
}

// noResponse explains a missing or incomplete response of a daemon that was there when the client was made.
func (c *Client) noResponse(err error) error {
	for _, cut := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED, fs.ErrNotExist} {
		if errors.Is(err, cut) {
			err = ErrEnded
		}
	}
	return fmt.Errorf("call the daemon on %s: %w", c.path, err)
}
