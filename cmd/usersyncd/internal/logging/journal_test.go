package logging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/slogtest"
	"time"

	"pgregory.net/rapid"
)

// A journald is the other side of the socket, as the protocol's description has it.
type journald struct {
	path string
	conn *net.UnixConn
}

func newJournald(t testing.TB) *journald {
	t.Helper()
	dir, err := os.MkdirTemp("", "jd") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &journald{path: filepath.Join(dir, "socket")}
	d.listen(t)
	t.Cleanup(func() { _ = d.conn.Close() })
	return d
}

func (d *journald) listen(t testing.TB) {
	t.Helper()
	var err error
	if d.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
}

func (d *journald) logger(t testing.TB, stderr *bytes.Buffer, level slog.Leveler) *slog.Logger {
	t.Helper()
	j, err := openJournal(d.path, stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.conn.Close() })
	return slog.New(&handler{j: j, level: level})
}

// next takes the next line in, which has been sent.
func (d *journald) next() (map[string][]string, error) {
	if err := d.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	buffer := make([]byte, 1<<20)
	n, err := d.conn.Read(buffer)
	if err != nil {
		return nil, err
	}
	return parseEntry(buffer[:n])
}

const ana = "ana.perez@example.com"

// fieldNames are those that journald takes: it drops others, and those of more than 64 bytes, without a word.
var fieldNames = regexp.MustCompile(`^[A-Z_][A-Z0-9_]{0,63}$`)

func parseEntry(data []byte) (map[string][]string, error) {
	entry := map[string][]string{}
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended {
			return nil, fmt.Errorf("the last line does not end: %q", line)
		}
		name, value, short := bytes.Cut(line, []byte("="))
		if !short {
			if len(rest) < 8 {
				return nil, fmt.Errorf("no length behind %q", line)
			}
			n := binary.LittleEndian.Uint64(rest)
			if rest = rest[8:]; uint64(len(rest)) <= n || rest[n] != '\n' {
				return nil, fmt.Errorf("%q is not %d bytes long", line, n)
			}
			value, rest = rest[:n], rest[n+1:]
		}
		if !fieldNames.Match(name) {
			return nil, fmt.Errorf("the name %q would be dropped", name)
		}
		entry[string(name)] = append(entry[string(name)], string(value))
		data = rest
	}
	return entry, nil
}

func (d *journald) want(t *testing.T, want map[string]string) {
	t.Helper()
	entry, err := d.next()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		if got := strings.Join(entry[name], " | "); got != value {
			t.Errorf("%s is %q, not %q", name, got, value)
		}
	}
	if len(entry) != len(want) {
		t.Errorf("%d fields, not %d: %q", len(entry), len(want), entry)
	}
}

// Each attribute is a field, and the message is readable without them.
func TestJournal(t *testing.T) {
	d := newJournald(t)
	log := d.logger(t, nil, slog.LevelDebug)

	log.Info("user applied", "user", ana, "action", "update", "fields", []string{"title: a -> b", "state: active -> inactive"})
	d.want(t, map[string]string{
		"MESSAGE":  `user applied user=ana.perez@example.com action=update fields="title: a -> b; state: active -> inactive"`,
		"PRIORITY": "6", "SYSLOG_IDENTIFIER": "usersyncd", "USERSYNCD_EVENT": "user applied", "USERSYNCD_USER": ana,
		"USERSYNCD_ACTION": "update", "USERSYNCD_FIELDS": "title: a -> b; state: active -> inactive",
	})

	with := log.With("org", "eu").WithGroup("http").With("retry-after", time.Minute)
	with.Warn("slow", slog.Group("calls", "total", 3), slog.Group("", "correlation id", "x"), "error", errors.New("no"), "", "nameless", slog.Attr{})
	log.With("org", "us") // changes nothing for those made before
	d.want(t, map[string]string{
		"MESSAGE":  `slow org=eu http.retry-after=1m0s http.calls.total=3 http.correlation id=x http.error=no http.=nameless`,
		"PRIORITY": "4", "SYSLOG_IDENTIFIER": "usersyncd", "USERSYNCD_EVENT": "slow", "USERSYNCD_ORG": "eu", "USERSYNCD_HTTP_RETRY_AFTER": "1m0s",
		"USERSYNCD_HTTP_CALLS_TOTAL": "3", "USERSYNCD_HTTP_CORRELATION_ID": "x", "USERSYNCD_HTTP_ERROR": "no", "USERSYNCD_HTTP_": "nameless",
	})

	// Nobody can make up a field, not even with a line break.
	log.Error("refused\nPRIORITY=7", "user", "a\nUSERSYNCD_USER=b\n", "ünïcode key", "")
	d.want(t, map[string]string{
		"MESSAGE":  "refused\nPRIORITY=7" + ` user="a\nUSERSYNCD_USER=b\n" ünïcode key=""`,
		"PRIORITY": "3", "SYSLOG_IDENTIFIER": "usersyncd", "USERSYNCD_EVENT": "refused\nPRIORITY=7", "USERSYNCD_USER": "a\nUSERSYNCD_USER=b\n",
		"USERSYNCD__N_CODE_KEY": "",
	})
	log.Debug("quiet")
	d.want(t, map[string]string{"MESSAGE": "quiet", "PRIORITY": "7", "SYSLOG_IDENTIFIER": "usersyncd", "USERSYNCD_EVENT": "quiet"})
}

// The level is the one of now.
func TestJournalLevel(t *testing.T) {
	d := newJournald(t)
	level := new(slog.LevelVar)
	log := d.logger(t, nil, level)
	log.Debug("not this one")
	level.Set(slog.LevelDebug)
	log.Debug("this one")
	d.want(t, map[string]string{"MESSAGE": "this one", "PRIORITY": "7", "SYSLOG_IDENTIFIER": "usersyncd", "USERSYNCD_EVENT": "this one"})
}

// What the standard library asks of a handler. The time is the journal's own, so it is put in here, as journald does.
func TestJournalIsAHandler(t *testing.T) {
	var d *journald
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		d = newJournald(t)
		return d.logger(t, nil, slog.LevelInfo).Handler()
	}, func(t *testing.T) map[string]any {
		entry, err := d.next()
		if err != nil {
			t.Fatal(err)
		}
		result := map[string]any{slog.MessageKey: entry["USERSYNCD_EVENT"][0], slog.LevelKey: entry["PRIORITY"][0]}
		if !strings.HasSuffix(t.Name(), "/zero-time") {
			result[slog.TimeKey] = true
		}
		for name, value := range entry {
			path, ours := strings.CutPrefix(name, "USERSYNCD_")
			if !ours || path == "EVENT" {
				continue
			}
			into := result
			for group, rest, more := strings.Cut(path, "_"); more; group, rest, more = strings.Cut(path, "_") {
				if into[group] == nil {
					into[group] = map[string]any{}
				}
				into, path = into[group].(map[string]any), rest
			}
			into[strings.ToLower(path)] = value[0] // its groups are upper case, its attributes are not
		}
		return result
	})
}

// Whatever is logged arrives whole: names that the journal takes, values as they were.
func TestJournalTakesAnything(t *testing.T) {
	d := newJournald(t)
	log := d.logger(t, nil, slog.LevelInfo)
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "groups")
		key, value, message := rapid.String().Draw(t, "key"), rapid.String().Draw(t, "value"), rapid.String().Draw(t, "message")
		with := log
		for _, g := range groups {
			with = with.WithGroup(g)
		}
		with.Info(message, key, value)
		entry, err := d.next()
		if err != nil {
			t.Fatal(err)
		}
		if len(entry["USERSYNCD_EVENT"]) == 0 || entry["USERSYNCD_EVENT"][len(entry["USERSYNCD_EVENT"])-1] != message {
			t.Fatalf("the event is %q", entry["USERSYNCD_EVENT"])
		}
		found := 0
		for name, values := range entry {
			if name != "MESSAGE" && name != "PRIORITY" && name != "SYSLOG_IDENTIFIER" && values[0] == value {
				found++
			}
		}
		if found == 0 {
			t.Fatalf("%q is not there: %q", value, entry)
		}
	})
}

// Much too much is cut, and the line arrives.
func TestJournalOfLongLines(t *testing.T) {
	d := newJournald(t)
	log := d.logger(t, nil, slog.LevelInfo)
	long := strings.Repeat("é", maxValue)
	log.Info("long", "one", long)
	entry, err := d.next()
	if err != nil {
		t.Fatal(err)
	}
	if got := entry["USERSYNCD_ONE"][0]; !strings.HasPrefix(long, got[:maxValue]) || !strings.HasSuffix(got, fmt.Sprintf("... (%d more bytes)", maxValue)) {
		t.Errorf("%d bytes, which end with %q", len(got), got[len(got)-40:])
	}
	attrs := []any{}
	for i := range 40 {
		attrs = append(attrs, fmt.Sprint("n", i), long)
	}
	log.Info("far too long", attrs...)
	if entry, err := d.next(); err != nil || !strings.HasPrefix(entry["MESSAGE"][0], "far too long n0=") || len(entry) != 3 {
		t.Errorf("%v, %d fields", err, len(entry))
	}
}

// A journal that takes nothing any more does not hold the program up; when it goes on, it is told how much it missed.
func TestJournalThatIsStuck(t *testing.T) {
	d := newJournald(t)
	log := d.logger(t, nil, slog.LevelInfo)
	began := time.Now()
	const lines = 700 // more than a socket holds
	for i := range lines {
		log.Info("line", "n", i)
	}
	if took := time.Since(began); took > writeTimeout+lines*retryTimeout+10*time.Second {
		t.Errorf("%d lines took %v", lines, took)
	}
	arrived := 0
	for {
		if err := d.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.conn.Read(make([]byte, 1<<16)); err != nil {
			break
		}
		arrived++
	}
	if arrived == 0 || arrived == lines {
		t.Fatalf("%d lines arrived: the socket was never full", arrived)
	}
	log.Info("again")
	for _, want := range []string{"again", fmt.Sprintf("%d log lines before this one were lost, as the journal did not accept them", lines-arrived)} {
		if entry, err := d.next(); err != nil || entry["MESSAGE"][0] != want {
			t.Errorf("%v, %q, not %q", err, entry["MESSAGE"], want)
		}
	}
}

// A journal that is started again gets the next line, and without one the lines go to stderr.
func TestJournalThatComesAndGoes(t *testing.T) {
	d := newJournald(t)
	var stderr bytes.Buffer
	log := d.logger(t, &stderr, slog.LevelInfo)
	_ = d.conn.Close()
	_ = os.Remove(d.path)
	log.Info("nobody there", "user", ana)
	if got := stderr.String(); got != "nobody there user="+ana+"\n" {
		t.Errorf("stderr has %q", got)
	}
	d.listen(t)
	log.Info("back")
	if entry, err := d.next(); err != nil || entry["MESSAGE"][0] != "back" {
		t.Errorf("%v, %q", err, entry)
	}
	if _, err := openJournal(d.path+"no", nil); err == nil || !strings.Contains(err.Error(), "reach the journal: ") {
		t.Errorf("%v", err)
	}
}

// The journal is meant if stderr is its stream, and nothing else.
func TestIsJournal(t *testing.T) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(2, &stat); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{
		fmt.Sprintf("%d:%d", stat.Dev, stat.Ino):   true,
		fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1): false,
		"nonsense": false,
		"":         false,
	} {
		t.Setenv("JOURNAL_STREAM", stream)
		if got := isJournal(os.Stderr); got != want {
			t.Errorf("JOURNAL_STREAM=%s: %v", stream, got)
		}
		if isJournal(&bytes.Buffer{}) {
			t.Error("a buffer is not the journal")
		}
	}
}
