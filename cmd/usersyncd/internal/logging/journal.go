package logging

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	native "github.com/coreos/go-systemd/v22/journal"
)

const (
	journalSocket = "/run/systemd/journal/socket"
	// writeTimeout is how long a line waits for a journal that accepts none, and retryTimeout how long the next ones
	// wait, until one is accepted again.
	writeTimeout = time.Second
	retryTimeout = 5 * time.Millisecond
	maxValue     = 32 << 10 // bytes
)

// A journal speaks the native protocol of systemd's journal (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram
// is one line with its fields. go-systemd's Send and systemd's slog-journal would wait for a stuck journal for ever.
type journal struct {
	path   string
	stderr io.Writer // gets what cannot be sent

	mu   sync.Mutex
	conn *net.UnixConn
	lost int // lines in a row that the journal did not accept in time
}

// A field of a line has a name for the journal, and the key that the program gave it.
type field struct{ name, key, value string }

func openJournal(path string, stderr io.Writer) (*journal, error) {
	j := &journal{path: path, stderr: stderr}
	return j, j.dial()
}

func (j *journal) dial() error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: j.path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("reach the journal: %w", err)
	}
	if j.conn != nil {
		_ = j.conn.Close() // it was broken
	}
	j.conn = conn
	return nil
}

// send writes a line. It returns within a second, whatever the journal does: a line that is not accepted by then is
// counted, and one that cannot be sent at all goes to stderr.
func (j *journal) send(priority native.Priority, message string, fields []field) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	data := encodeLine(priority, message, fields)
	err := j.write(data)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && j.dial() == nil { // the journal was restarted
		err = j.write(data)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // or the line is too long
		err = j.write(encodeLine(priority, message, nil))
	}
	switch {
	case err == nil && j.lost > 0:
		text := fmt.Sprintf("%d log lines before this one were lost, as the journal did not accept them", j.lost)
		j.lost = 0
		return j.write(encodeLine(native.PriWarning, text, nil))
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		j.lost++
		return err
	}
	fmt.Fprintln(j.stderr, message)
	return err
}

func (j *journal) write(data []byte) error {
	timeout := writeTimeout
	if j.lost > 0 {
		timeout = retryTimeout
	}
	if err := j.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := j.conn.Write(data)
	return err
}

func encodeLine(priority native.Priority, message string, fields []field) []byte {
	b := appendField(nil, "MESSAGE", message)
	b = appendField(b, "PRIORITY", strconv.Itoa(int(priority)))
	b = appendField(b, "SYSLOG_IDENTIFIER", "usersyncd")
	for _, f := range fields {
		b = appendField(b, f.name, f.value)
	}
	return b
}

// appendField writes a value of one line as NAME=value, and one with line breaks after its length, so that no value
// can pass for a field.
func appendField(b []byte, name, value string) []byte {
	if rest := len(value) - maxValue; rest > 0 {
		value = fmt.Sprintf("%s... (%d more bytes)", strings.ToValidUTF8(value[:maxValue], ""), rest)
	}
	b = append(b, name...)
	if strings.Contains(value, "\n") {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	b = append(b, value...)
	return append(b, '\n')
}

// isJournal reports whether what is written there ends up in the journal anyway, line by line.
func isJournal(w io.Writer) bool {
	if f, ok := w.(file); !ok || f.Fd() != os.Stderr.Fd() {
		return false
	}
	stream, err := native.StderrIsJournalStream()
	return err == nil && stream
}
