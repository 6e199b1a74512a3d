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

	"usersyncd/sync/control"
)

const (
	// maxSocketPath is what fits into a socket's address (sun_path of unix(7)), less the name it has while it is made.
	maxSocketPath = 107 - len(newSocket)
	newSocket     = ".new"
	// socketMode lets the group use the socket, and so command the daemon.
	socketMode = 0o660
	// closeWait is how long responses under way are waited for at the end.
	closeWait = 2 * time.Second
)

// A Socket is the daemon's end of its unix socket.
type Socket struct {
	path     string
	listener *net.UnixListener
	log      *slog.Logger
}

// ListenSocket makes the socket at path, mode 0660; its directory must exist. A stale socket is replaced. It returns
// ErrRunning if another daemon answers there.
func ListenSocket(ctx context.Context, path string, log *slog.Logger) (*Socket, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listen on socket %s: the path has %d bytes, of at most %d; give a shorter one with --socket", path, len(path), maxSocketPath)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("listen on socket: %w", err)
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("listen on socket %s: the file is not a socket", path)
	default:
		// A socket that no process has open refuses. Anything else, such as a full queue, is a daemon.
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
		if err == nil {
			_ = conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("listen on socket %s: %w there", path, ErrRunning), err)
		}
	}
	// It has another name until its mode is set.
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

// Serve serves until ctx ends, and removes the socket.
func (s *Socket) Serve(ctx context.Context, d Daemon) error {
	server := newServer(ctx, d, s.log)
	control.LimitConnections(server, control.MaxConnections)
	err := control.Serve(ctx, server, s.listener, closeWait)
	if removed := os.Remove(s.path); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	if err != nil {
		err = fmt.Errorf("socket %s: %w", s.path, err)
	}
	return err
}

func newServer(ctx context.Context, d Daemon, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler(d, log),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withPeer,
	}
}

// peerKey is the key of the peer's user id in the context of a request.
type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if u, ok := c.(*net.UnixConn); ok {
		return context.WithValue(ctx, peerKey{}, peer(u))
	}
	return ctx
}

// caller is the name of the user who sent a request. It is looked up now and not for each connection: a directory service
// that does not answer delays only this request.
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
