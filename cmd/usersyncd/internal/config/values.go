package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/spec/text"
	"usersyncd/sync/plan"
)

// A declaration declares a flag with its default.
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
			f.Var(limit{p}, name, help)
		}
	}
}

func suggested(p *string, values []string) declaration {
	return func(f *pflag.FlagSet, name, help string) {
		f.StringVar(p, name, "", help)
		annotate(f, name, valuesAnnotation, values...)
	}
}

func share(p *float64) declaration {
	return func(f *pflag.FlagSet, name, help string) { f.Var((*percent)(p), name, help) }
}

func windows(p *[]string) declaration {
	return func(f *pflag.FlagSet, name, help string) { f.Var(&list{items: p, sep: ";"}, name, help) }
}

// NamesVar declares a flag that is a list with commas. pflag's StringSlice reads one line of CSV instead: it drops what
// follows a line break without an error, keeps the space after a comma, and refuses a name with a quote in it.
func NamesVar(f *pflag.FlagSet, p *[]string, name string, def []string, help string) {
	*p = def
	f.Var(&list{items: p, sep: ","}, name, help)
}

// list is a flag's list. The first value replaces the default, further ones add to it.
type list struct {
	items *[]string
	sep   string
	given bool
}

func (l *list) String() string { return strings.Join(*l.items, l.sep) }

// Set implements pflag.Value.
func (l *list) Set(text string) error {
	var items []string
	if strings.TrimSpace(text) != "" { // nothing is an empty list
		for item := range strings.SplitSeq(text, l.sep) {
			items = append(items, strings.TrimSpace(item))
		}
	}
	if slices.ContainsFunc(items, func(item string) bool { return item == "" || strings.Contains(item, "\n") }) {
		return errors.New("not a list")
	}
	if l.given {
		items = append(slices.Clip(*l.items), items...)
	}
	*l.items, l.given = items, true
	return nil
}

// Type implements pflag.Value.
func (l *list) Type() string { return map[string]string{",": "list", ";": "windows"}[l.sep] }

func choice(p *string, def string, values ...string) declaration {
	return func(f *pflag.FlagSet, name, help string) { ChoiceVar(f, p, name, def, values, help) }
}

// ChoiceVar declares a flag that takes one of a few values. The help text gets their list.
func ChoiceVar(f *pflag.FlagSet, p *string, name, def string, values []string, help string) {
	*p = def
	last := len(values) - 1
	want := strings.Join(values[:last], ", ") + " or " + values[last]
	f.Var(&oneOf{p, values}, name, help+": "+want)
	annotate(f, name, wantAnnotation, want)
	annotate(f, name, valuesAnnotation, values...)
}

func annotate(f *pflag.FlagSet, name, key string, values ...string) {
	_ = f.SetAnnotation(name, key, values) // fails only for a flag that is not there
}

// oneOf is a flag that takes one of a few values.
type oneOf struct {
	value  *string
	values []string
}

func (o *oneOf) String() string { return *o.value }

// Set implements pflag.Value.
func (o *oneOf) Set(text string) error {
	if !slices.Contains(o.values, text) {
		return errors.New("not one of the values")
	}
	*o.value = text
	return nil
}

// Type implements pflag.Value.
func (o *oneOf) Type() string { return "string" }

// mostReserved leaves enough of a quota to work with.
const mostReserved = 0.9

// percent is a flag's share of something, 0 to 0.9. It takes "20%", "20 %" and "0.2".
type percent float64

func (p *percent) String() string {
	return strconv.FormatFloat(math.Round(1e6*float64(*p))/1e4, 'f', -1, 64) + "%"
}

// Set implements pflag.Value.
func (p *percent) Set(text string) error {
	number, hundredths := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if hundredths {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= mostReserved) {
		return errors.New("not a share")
	}
	*p = percent(math.Abs(v)) // -0 is a number, too
	return nil
}

// Type implements pflag.Value.
func (p *percent) Type() string { return "percent" }

// NoLimit is how a guard's limit is turned off.
const NoLimit = "none"

// limit is a flag such as 5%,10: a percentage, and a number that is always allowed; or none.
type limit struct{ value **plan.Limit }

func (l limit) String() string {
	if *l.value == nil {
		return NoLimit
	}
	return (*l.value).String()
}

// Set implements pflag.Value.
func (l limit) Set(text string) error {
	if strings.TrimSpace(text) == NoLimit {
		*l.value = nil
		return nil
	}
	share, floor, ok := strings.Cut(text, ",")
	share, hundredths := strings.CutSuffix(strings.TrimSpace(share), "%")
	percent, err := strconv.Atoi(strings.TrimSpace(share))
	least, wrong := strconv.Atoi(strings.TrimSpace(floor))
	if !ok || !hundredths || err != nil || wrong != nil || percent < 0 || percent > 100 || least < 0 {
		return errors.New("not a limit")
	}
	*l.value = &plan.Limit{Percent: percent, Floor: least}
	return nil
}

// Type implements pflag.Value.
func (l limit) Type() string { return "limit" }

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

func finite(p *float64) rule {
	return rule{"a number of calls per second, or 0", func() bool { return *p >= 0 && !math.IsInf(*p, 1) }}
}

func positive(p *time.Duration) rule {
	return rule{"a positive duration, such as 30s or 15m", func() bool { return *p > 0 }}
}

func notNegative(p *time.Duration) rule {
	return rule{"a duration, such as 24h, or 0", func() bool { return *p >= 0 }}
}

// Annotations of a flag.
const (
	wantAnnotation   = "want"   // which values it takes; completes "must be"
	valuesAnnotation = "values" // for completion
)

// want says which values a flag takes.
func want(f *pflag.Flag) string {
	if w := f.Annotations[wantAnnotation]; len(w) > 0 {
		return w[0]
	}
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "int", "uint64":
		return "a whole number"
	case "percent":
		return "a share from 0% to 90%, such as 20%"
	case "list":
		return "names with commas between them"
	case "windows":
		return "change windows with semicolons between them"
	case "limit":
		return "a percentage and a number, such as 5%,10, or none"
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
