package logging

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	native "github.com/coreos/go-systemd/v22/journal"
)

// A handler writes records as lines of the journal, with a field for each attribute, so that
// "journalctl USERSYNCD_USER=ana.perez@example.com" finds the lines of a user. The message has the attributes, too. The
// journal adds the time.
type handler struct {
	j      *journal
	level  slog.Leveler
	groups []string
	fields []field // of WithAttrs
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	fields := slices.Clone(h.fields)
	r.Attrs(func(a slog.Attr) bool {
		fields = appendAttr(fields, h.groups, a)
		return true
	})
	var message strings.Builder
	message.WriteString(r.Message)
	for _, f := range fields {
		message.WriteString(" " + f.key + "=" + quoted(f.value))
	}
	fields = append(fields, field{name: fieldPrefix + "EVENT", value: r.Message})
	return h.j.send(priorityOf(r.Level), message.String(), fields)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.fields = slices.Clone(h.fields)
	for _, a := range attrs {
		with.fields = appendAttr(with.fields, h.groups, a)
	}
	return &with
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.groups = append(slices.Clone(h.groups), name)
	return &with
}

// appendAttr adds an attribute, or those of a group, to the fields.
func appendAttr(fields []field, groups []string, a slog.Attr) []field {
	a.Value = a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}):
		return fields
	case a.Value.Kind() == slog.KindGroup:
		if a.Key != "" {
			groups = append(slices.Clone(groups), a.Key)
		}
		for _, member := range a.Value.Group() {
			fields = appendAttr(fields, groups, member)
		}
		return fields
	}
	path := append(slices.Clone(groups), a.Key)
	return append(fields, field{name: fieldName(path), key: strings.Join(path, "."), value: textOf(a.Value)})
}

const (
	fieldPrefix  = "USERSYNCD_"
	maxFieldName = 64 // bytes; the journal drops longer ones
)

// fieldName makes a name that the journal accepts, ^[A-Z_][A-Z0-9_]*$: it drops others without an error.
func fieldName(path []string) string {
	name := fieldPrefix + strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, strings.Join(path, "_"))
	return name[:min(len(name), maxFieldName)]
}

func textOf(v slog.Value) string {
	switch v := v.Any().(type) {
	case error:
		return v.Error()
	case []string:
		return strings.Join(v, "; ")
	}
	return v.String()
}

// quoted quotes a value that would not be read as one word.
func quoted(value string) string {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || !strconv.IsPrint(r) }) {
		return strconv.Quote(value)
	}
	return value
}

func priorityOf(level slog.Level) native.Priority {
	switch {
	case level < slog.LevelInfo:
		return native.PriDebug
	case level < slog.LevelWarn:
		return native.PriInfo
	case level < slog.LevelError:
		return native.PriWarning
	}
	return native.PriErr
}
