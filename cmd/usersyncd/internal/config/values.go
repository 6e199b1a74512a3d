package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/spec/text"
	"usersyncd/sync/plan"
)

type declaration func(f *pflag.FlagSet, name, help string)

// value declares a flag that sets *p, a string, bool, int, float64, time.Duration, []string or *plan.Limit.
func value[T any](p *T, def T) declaration {
	return func(f *pflag.FlagSet, name, help string) {
		*p = def
		switch p := any(p).(type) {
		case *string:
			f.StringVar(p, name, *p, help)
		case *bool:
			f.BoolVar(p, name, *p, help)
		case *int:
			f.IntVar(p, name, *p, help)
		case *float64:
			f.Float64Var(p, name, *p, help)
		case *time.Duration:
			f.DurationVar(p, name, *p, help)
		case *[]string:
			NamesVar(f, p, name, *p, help)
		case **plan.Limit:
			f.Var(&parsed[*plan.Limit]{p, "limit", "a percentage and a number, such as 5%,10, or none", parseLimit, formatLimit}, name, help)
		}
	}
}

func suggested(p *string, values []string) declaration {
	return func(f *pflag.FlagSet, name, help string) {
		f.StringVar(p, name, "", help)
		_ = f.SetAnnotation(name, valuesAnnotation, values) // fails only for a flag that is not there
	}
}

func choice(p *string, def string, values ...string) declaration {
	return func(f *pflag.FlagSet, name, help string) { ChoiceVar(f, p, name, def, values, help) }
}

func share(p *float64) declaration {
	return func(f *pflag.FlagSet, name, help string) {
		f.Var(&parsed[float64]{p, "percent", "a share from 0% to 90%, such as 20%", parseShare, formatShare}, name, help)
	}
}

func windows(p *[]string) declaration {
	return func(f *pflag.FlagSet, name, help string) {
		listVar(f, p, name, "windows", ";", "change windows with semicolons between them", help)
	}
}

// NamesVar declares a flag that is a list with commas. pflag's StringSlice reads one line of CSV instead: it drops what
// follows a line break without an error, keeps the space after a comma, and refuses a name with a quote in it.
func NamesVar(f *pflag.FlagSet, p *[]string, name string, def []string, help string) {
	*p = def
	listVar(f, p, name, "list", ",", "names with commas between them", help)
}

// ChoiceVar declares a flag that takes one of a few values. The help text gets their list.
func ChoiceVar(f *pflag.FlagSet, p *string, name, def string, values []string, help string) {
	*p = def
	want := enumerate(values)
	f.Var(&parsed[string]{p, "string", want, func(text string) (string, error) {
		if !slices.Contains(values, text) {
			return "", errInvalid
		}
		return text, nil
	}, func(value string) string { return value }}, name, help+": "+want)
	_ = f.SetAnnotation(name, valuesAnnotation, values)
}

// valuesAnnotation is the annotation of a flag with its values for completion.
const valuesAnnotation = "values"

// parsed is a flag's value that is read and written by functions.
type parsed[T any] struct {
	value  *T
	kind   string // for pflag
	want   string // completes "must be"
	parse  func(text string) (T, error)
	format func(T) string
}

// errInvalid is what a parse function returns. What is wanted is said by FlagError and Load.
var errInvalid = errors.New("invalid")

func (p *parsed[T]) String() string { return p.format(*p.value) }

func (p *parsed[T]) Set(text string) error {
	v, err := p.parse(text)
	if err == nil {
		*p.value = v
	}
	return err
}

func (p *parsed[T]) Type() string { return p.kind }

func (p *parsed[T]) wanted() string { return p.want }

// listVar declares a list. The first value replaces the default, further ones add to it.
func listVar(f *pflag.FlagSet, p *[]string, name, kind, sep, want, help string) {
	given := false
	f.Var(&parsed[[]string]{p, kind, want, func(text string) ([]string, error) {
		var items []string
		if strings.TrimSpace(text) != "" { // nothing is an empty list
			for item := range strings.SplitSeq(text, sep) {
				items = append(items, strings.TrimSpace(item))
			}
		}
		if slices.ContainsFunc(items, func(item string) bool { return item == "" || strings.Contains(item, "\n") }) {
			return nil, errInvalid
		}
		if given {
			items = append(slices.Clip(*p), items...)
		}
		given = true
		return items, nil
	}, func(items []string) string { return strings.Join(items, sep) }}, name, help)
}

// mostReserved leaves enough of a quota to work with.
const mostReserved = 0.9

// parseShare reads a share from 0 to 0.9: "20%", "20 %" or "0.2".
func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= mostReserved) {
		return 0, errInvalid
	}
	return math.Abs(v), nil // -0 is a number, too
}

func formatShare(share float64) string {
	return strconv.FormatFloat(math.Round(1e6*share)/1e4, 'f', -1, 64) + "%"
}

// NoLimit turns a guard's limit off.
const NoLimit = "none"

// parseLimit reads a limit such as 5%,10: a percentage, and a number that is always allowed; or none.
func parseLimit(text string) (*plan.Limit, error) {
	if strings.TrimSpace(text) == NoLimit {
		return nil, nil
	}
	share, floor, ok := strings.Cut(text, ",")
	share, percent := strings.CutSuffix(strings.TrimSpace(share), "%")
	n, err := strconv.Atoi(strings.TrimSpace(share))
	least, wrong := strconv.Atoi(strings.TrimSpace(floor))
	if !ok || !percent || err != nil || wrong != nil || n < 0 || n > 100 || least < 0 {
		return nil, errInvalid
	}
	return &plan.Limit{Percent: n, Floor: least}, nil
}

func formatLimit(l *plan.Limit) string {
	if l == nil {
		return NoLimit
	}
	return l.String()
}

// A rule says which values of a setting are allowed.
type rule struct {
	want  string      // completes "must be"
	valid func() bool // nil: any value
}

func atLeast(p *int, least int) rule {
	return rule{"a whole number of at least " + strconv.Itoa(least), func() bool { return *p >= least }}
}

func between(p *int, least, most int) rule {
	return rule{fmt.Sprintf("a whole number from %d to %d", least, most), func() bool { return *p >= least && *p <= most }}
}

func address(p *string) rule {
	return rule{"HOST:PORT, such as 127.0.0.1:8787", func() bool { _, _, err := net.SplitHostPort(*p); return *p == "" || err == nil }}
}

func finite(p *float64) rule {
	return rule{"a number of calls per second, or 0", func() bool { return *p >= 0 && !math.IsInf(*p, 1) }}
}

func positive(p *time.Duration) rule {
	return rule{"a positive duration, such as 30s or 15m", func() bool { return *p > 0 }}
}

func notNegative(p *time.Duration) rule {
	return rule{"a duration, such as 24h, or 0", func() bool { return *p >= 0 }}
}

// advancedAnnotation is the annotation of a flag that is in the help of settings only.
const advancedAnnotation = "advanced"

// IsAdvanced reports whether a flag is left to the help of settings where a command has too many.
func IsAdvanced(f *pflag.Flag) bool {
	_, is := f.Annotations[advancedAnnotation]
	return is
}

// wantAnnotation is the annotation of a flag with the values that a rule wants.
const wantAnnotation = "want"

// want says which values a flag takes.
func want(f *pflag.Flag) string {
	if w := f.Annotations[wantAnnotation]; len(w) > 0 {
		return w[0]
	}
	if v, ok := f.Value.(interface{ wanted() string }); ok {
		return v.wanted()
	}
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "int", "uint64":
		return "a whole number"
	case "duration":
		return "a duration, such as 30s or 15m"
	}
	return "another value"
}

// FlagError explains a flag that pflag does not understand.
func FlagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return Errorf("--%s: invalid value %q: must be %s", e.GetFlag().Name, e.GetValue(), want(e.GetFlag()))
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && len(e.GetSpecifiedName()) > 1 {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		if near := text.Suggest(e.GetSpecifiedName(), known); near != "" {
			return Errorf("%w; did you mean %q?", err, "--"+near)
		}
	}
	return Errorf("%w", err)
}
