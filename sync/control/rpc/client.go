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
	"net/url"
	"strconv"
	"syscall"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// A Client speaks to a daemon through its socket.
type Client struct {
	path string
	http *http.Client
}

// Dial makes a client of the daemon that listens on path. ErrNoDaemon: nobody does.
func Dial(ctx context.Context, path string) (*Client, error) {
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w on %s", ErrNoDaemon, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: who may use it is said by the socket's owner and group; try with sudo", err)
	case err != nil:
		return nil, err
	}
	_ = conn.Close() // it was to see whether somebody is there
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}}, nil
}

// Close gives the connection back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks how the daemon does.
func (c *Client) Status(ctx context.Context) (control.Status, error) {
	var s control.Status
	err := c.get(ctx, routeStatus, nil, &s)
	return s, err
}

// Explain asks what there is to say about a user.
func (c *Client) Explain(ctx context.Context, email string) (*usersync.Explanation, error) {
	e := &usersync.Explanation{}
	return e, c.get(ctx, routeExplain, url.Values{"email": {email}}, e)
}

// History asks for what was written, the newest first.
func (c *Client) History(ctx context.Context, q state.Query) ([]state.Event, error) {
	values := url.Values{"email": {q.Email}, "id": {q.ID}, "revision": {q.Revision}}
	if !q.Since.IsZero() {
		values.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	var events []state.Event
	err := c.get(ctx, routeHistory, values, &events)
	return events, err
}

// Sync has a pass made, and waits for it.
func (c *Client) Sync(ctx context.Context, refresh bool) (*usersync.Result, error) {
	return c.result(ctx, routeSync, syncRequest{refresh})
}

// Pause makes the passes change nothing.
func (c *Client) Pause(ctx context.Context, reason string) error {
	return c.post(ctx, routePause, pauseRequest{reason}, &struct{}{})
}

// Resume ends a pause, and reports whether there was one.
func (c *Client) Resume(ctx context.Context) (bool, error) {
	var a resumeAnswer
	err := c.post(ctx, routeResume, struct{}{}, &a)
	return a.WasPaused, err
}

// Release lets through what is held under an id.
func (c *Client) Release(ctx context.Context, id string) (plan.Hold, error) {
	var h plan.Hold
	err := c.post(ctx, routeRelease, releaseRequest{id}, &h)
	return h, err
}

// Rollback plans a rollback or, with the id of its plan, carries it out.
func (c *Client) Rollback(ctx context.Context, undo plan.Rollback, agreed string) (*usersync.Result, error) {
	return c.result(ctx, routeUndo, undoRequest{undo, agreed})
}

func (c *Client) result(ctx context.Context, route string, command any) (*usersync.Result, error) {
	var a resultAnswer
	if err := c.post(ctx, route, command, &a); err != nil {
		return nil, err
	}
	if a.Err != nil {
		return a.Result, *a.Err
	}
	return a.Result, nil
}

func (c *Client) get(ctx context.Context, route string, values url.Values, out any) error {
	return c.do(ctx, http.MethodGet, route+"?"+values.Encode(), nil, out)
}

func (c *Client) post(ctx context.Context, route string, command, out any) error {
	body, err := json.Marshal(command)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, route, body, out)
}

func (c *Client) do(ctx context.Context, method, target string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://usersyncd"+target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return c.unanswered(errors.Unwrap(err))
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or given up
	d := json.NewDecoder(resp.Body)
	if resp.StatusCode != http.StatusOK {
		f := failure{}
		if err := d.Decode(&f); err != nil || f.Message == "" {
			return fmt.Errorf("ask the daemon on %s: it answers %s; is it of another version?", c.path, resp.Status)
		}
		return f
	}
	if err := d.Decode(out); err != nil {
		return c.unanswered(err)
	}
	return nil
}

// unanswered says why there is no whole answer of a daemon that was there when the client was made.
func (c *Client) unanswered(err error) error {
	for _, cut := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED, fs.ErrNotExist} {
		if errors.Is(err, cut) {
			err = ErrEnded
		}
	}
	return fmt.Errorf("ask the daemon on %s: %w", c.path, err)
}
