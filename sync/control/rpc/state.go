package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"usersyncd/sync/control"
)

// stallTimeout ends the copy of a state file whose reader takes nothing for so long: a commit may have to wait for the end.
const stallTimeout = 5 * time.Second

// StateFile says what the daemon's state file is.
type StateFile struct {
	Path     string
	Size     int64             // of the copy, in bytes
	Settings map[string]string // of the daemon, as config.Config.Effects has them
	Config   string            // path of the daemon's configuration file; "" if it has none
}

// StateCopy is what comes before a copy of the state file.
type StateCopy struct {
	File   StateFile
	Status control.Status
}

// copyState responds with a line, a response[StateCopy], and the copy of the file.
func copyState(d Daemon) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, begun := d.Status(), false
		err := d.CopyState(func(f StateFile) (io.Writer, error) {
			begun = true
			out := steadyWriter{w, http.NewResponseController(w)}
			return out, json.NewEncoder(out).Encode(response[StateCopy]{Result: StateCopy{f, status}})
		})
		if err != nil && !begun { // otherwise the copy is shorter than its size
			_ = json.NewEncoder(w).Encode(response[StateCopy]{Error: newRemoteError(err)}) // the client may be gone
		}
	}
}

// A steadyWriter fails when it cannot write for a while.
type steadyWriter struct {
	io.Writer
	connection *http.ResponseController
}

func (w steadyWriter) Write(p []byte) (int, error) {
	if err := w.connection.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

// CopyState returns the daemon's status and a copy of its state file, of StateFile.Size bytes, which the caller closes.
func (c *Client) CopyState(ctx context.Context) (StateCopy, io.ReadCloser, error) {
	var r response[StateCopy]
	body, err := c.send(ctx, "state", nil)
	if err != nil {
		return r.Result, nil, err
	}
	data := bufio.NewReader(body)
	line, err := data.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	switch {
	case err != nil:
		err = c.noResponse(err)
	case r.Error != nil:
		err = r.Error
	default:
		return r.Result, copied{data, body}, nil
	}
	_ = body.Close() // given up
	return r.Result, nil, err
}

// copied is the rest of a response.
type copied struct {
	io.Reader
	io.Closer
}
