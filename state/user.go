package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
)

// The payload of a user is a line of JSON, then a line a field: who holds the value, the field, a
// space, the value as it is.
//
//	{"version":7,"managed":true,"seenAt":"2026-01-02T03:04:05Z"}
//	=department "Support"
//	<title "Agent"
//	>title "Senior agent"
//
// A value is canonical JSON, which is one line, so nothing needs quoting; observed and applied mostly
// agree, so mostly one line serves both. Against JSON in JSON this halves the file and is read
// in a fifth of the time, and it can still be read by eye.
const (
	inBoth     = '='
	inObserved = '<'
	inApplied  = '>'
)

// userHead is what the first line holds. The id is the record's key.
type userHead struct {
	Version int             `json:"version"`
	Managed bool            `json:"managed,omitempty"` // Applied is not nil
	Opaque  json.RawMessage `json:"opaque,omitempty"`
	ReadAt  int64           `json:"readAt,omitempty"`  // Unix time
	WroteAt int64           `json:"wroteAt,omitempty"` // Unix time

	As        string   `json:"as,omitempty"` // Declared.Key; left out where it is the address applied
	File      string   `json:"file,omitempty"`
	Ordinal   int      `json:"n,omitempty"`
	Formerly  []string `json:"formerly,omitempty"`
	Removed   string   `json:"removed,omitempty"`
	Suspended string   `json:"suspended,omitempty"`

	Repairs map[spec.Field]Repair `json:"repairs,omitempty"`
}

// encodeUser returns the payload of a user: the same bytes for the same user.
func encodeUser(u *User) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // ends with the line's end
	enc.SetEscapeHTML(false)   // leaves Opaque as it came, apart from space
	head := userHead{
		Version: u.Version, Managed: u.Applied != nil, Opaque: u.Opaque, ReadAt: unix(u.ReadAt), WroteAt: unix(u.WroteAt),
		As: u.Declared.Key, File: u.Declared.File, Ordinal: u.Declared.Ordinal, Formerly: u.Formerly, Removed: u.Removed, Suspended: u.Suspended,
		Repairs: u.Repairs,
	}
	if head.As == appliedKey(u) {
		head.As = ""
	}
	if err := enc.Encode(head); err != nil {
		return nil, err
	}
	for _, f := range slices.Sorted(maps.Keys(u.Fields)) {
		observed := u.Fields[f]
		applied, managed := u.Applied[f]
		mark := byte(inObserved)
		if managed && applied == observed {
			mark = inBoth
		}
		if err := writeField(&b, mark, f, observed); err != nil {
			return nil, err
		}
	}
	for _, f := range slices.Sorted(maps.Keys(u.Applied)) {
		if observed, known := u.Fields[f]; known && observed == u.Applied[f] {
			continue
		}
		if err := writeField(&b, inApplied, f, u.Applied[f]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func writeField(b *bytes.Buffer, mark byte, f spec.Field, v spec.Value) error {
	if f == "" || strings.ContainsAny(string(f), " \n") {
		return fmt.Errorf("field name %q: must be one word", f)
	}
	if strings.Contains(string(v), "\n") {
		return fmt.Errorf("field %s: value %q: must be canonical JSON, which is one line", f, v)
	}
	b.WriteByte(mark)
	b.WriteString(string(f))
	b.WriteByte(' ')
	b.WriteString(string(v))
	b.WriteByte('\n')
	return nil
}

// decodeUser reads a payload, and says whether it is one. The user holds nothing of payload itself.
func decodeUser(id string, payload []byte) (*User, bool) {
	first, rest, ok := bytes.Cut(payload, []byte("\n"))
	var head userHead
	if !ok || json.Unmarshal(first, &head) != nil {
		return nil, false
	}
	lines := string(rest) // one allocation, which all names and values share
	u := &User{
		Observed: Observed{ID: id, Version: head.Version, Opaque: head.Opaque}, ReadAt: moment(head.ReadAt), WroteAt: moment(head.WroteAt),
		Declared: Declaration{head.As, head.File, head.Ordinal}, Formerly: head.Formerly, Removed: head.Removed, Suspended: head.Suspended,
		Repairs: head.Repairs,
	}
	observed, applied := countFields(lines)
	u.Fields = make(spec.Fields, observed)
	if head.Managed {
		u.Applied = make(spec.Fields, applied)
	}
	for lines != "" {
		line, rest, ended := strings.Cut(lines, "\n")
		name, value, ok := strings.Cut(line, " ")
		if !ended || !ok || len(name) < 2 || (name[0] != inObserved && !head.Managed) {
			return nil, false
		}
		f, v := spec.Field(name[1:]), spec.Value(value)
		switch name[0] {
		case inBoth:
			u.Fields[f], u.Applied[f] = v, v
		case inObserved:
			u.Fields[f] = v
		case inApplied:
			u.Applied[f] = v
		default:
			return nil, false
		}
		lines = rest
	}
	if len(u.Formerly) == 0 {
		u.Formerly = nil
	}
	if len(u.Repairs) == 0 {
		u.Repairs = nil
	}
	if u.Declared.Key == "" { // as a file of format 1 has it for everybody
		u.Declared.Key = appliedKey(u)
	}
	return u, true
}

// appliedKey is the address last applied, as a key; "" for who is not managed.
func appliedKey(u *User) string { return spec.Key(u.Applied[spec.Email].Text()) }

// unix and moment store a time; none is 0.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// countFields returns how many lines go to each map, so that neither has to grow.
func countFields(lines string) (observed, applied int) {
	for lines != "" {
		switch lines[0] {
		case inBoth:
			observed, applied = observed+1, applied+1
		case inObserved:
			observed++
		case inApplied:
			applied++
		}
		_, lines, _ = strings.Cut(lines, "\n")
	}
	return observed, applied
}
