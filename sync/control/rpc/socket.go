package rpc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"syscall"
	"time"
)

const (
	// maxSocketPath is what fits into a socket's address (sun_path of unix(7)), less the name it has while it is made.
	maxSocketPath = 107 - len(newSocket)
	newSocket     = ".new"
	// socketMode lets the group use the socket, and with it tell the daemon what to do.
	socketMode = 0o660
	// closeWait is for how long an answer under way is waited for at the end.
	closeWait = 2 * time.Second
)

// A Socket is the daemon's end of its unix socket.
type Socket struct {
	path     string
	listener *net.UnixListener
	log      *slog.Logger
}

// ListenSocket makes the socket at path, mode 0660; its directory must exist. One that a daemon left behind is
// replaced. ErrRunning: somebody answers there.
func ListenSocket(ctx context.Context, path string, log *slog.Logger) (*Socket, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listen on socket %s: the path has %d bytes, and %d are the most that a socket can have", path, len(path), maxSocketPath)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("listen on socket: %w", err)
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("listen on socket %s: it is there, and is not a socket", path)
	default:
		// A refusal is what a socket gives that nobody has open. Anything else, such as a full queue, is somebody.
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
		if err == nil {
			_ = conn.Close() // it was to see whether somebody is there
		}
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("listen on socket %s: %w there", path, ErrRunning), err)
		}
	}
	// Under another name until its mode is right.
	made := path + newSocket
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen on socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // it has another name by then
	if err := errors.Join(os.Chmod(made, socketMode), os.Rename(made, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on socket: %w", err), l.Close(), os.Remove(made))
	}
	return &Socket{path: path, listener: l, log: log}, nil
}

// Serve answers until ctx ends, and takes the socket away.
func (s *Socket) Serve(ctx context.Context, d Daemon) error {
	server := &http.Server{
		Handler:           handler(d, s.log),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withPeer,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.listener) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("socket %s: %w", s.path, err), os.Remove(s.path))
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	gone := os.Remove(s.path) // from now on nobody comes
	if err := server.Shutdown(late); err != nil {
		_ = server.Close()
	}
	if errors.Is(gone, fs.ErrNotExist) {
		gone = nil
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		gone = errors.Join(gone, err)
	}
	return gone
}

// peerKey is where a request's context has the id of the user who is on the other end.
type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if u, ok := c.(*net.UnixConn); ok {
		return context.WithValue(ctx, peerKey{}, peer(u))
	}
	return ctx
}

// caller is who sent a request, for the log and for who asks who has paused it. The name is looked up now and not
// for each connection: a directory service that does not answer keeps only this one waiting.
func caller(r *http.Request) string {
	id, _ := r.Context().Value(peerKey{}).(string)
	if id == "" {
		return ""
	}
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}
