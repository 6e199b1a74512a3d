package main

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"usersyncd/sync/plan"
)

// words is a flag that is a list, joined with commas. Given again, it adds to what was given before; the
// default is replaced by what is given first.
type words struct {
	list  []string
	given bool
}

func (w *words) String() string { return strings.Join(w.list, ",") }

// Set implements pflag.Value.
func (w *words) Set(text string) error {
	var list []string
	if strings.TrimSpace(text) != "" { // nothing is an empty list
		for word := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(word))
		}
	}
	if slices.Contains(list, "") {
		return errors.New("words with commas between them")
	}
	if w.given {
		list = append(slices.Clip(w.list), list...)
	}
	w.list, w.given = list, true
	return nil
}

// Type implements pflag.Value.
func (w *words) Type() string { return "words" }

// windowList is a flag that is a list, joined with semicolons: windows have commas themselves. Given again, it
// adds to what was given before.
type windowList struct{ list []string }

func (w *windowList) String() string { return strings.Join(w.list, "; ") }

// Set implements pflag.Value. What is in it is read later, when it can be said what is wrong with it.
func (w *windowList) Set(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ";") {
		w.list = append(w.list, strings.TrimSpace(part))
	}
	return nil
}

// Type implements pflag.Value.
func (w *windowList) Type() string { return "windows" }

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
		return errors.New("a share from 0% to 90%")
	}
	*p = percent(math.Abs(v)) // -0 is a number, too
	return nil
}

// Type implements pflag.Value.
func (p *percent) Type() string { return "percent" }

// limit is a flag such as 5%,10: a share, and a number that is always allowed; or none.
type limit struct {
	plan.Limit
	none bool
}

const noLimit = "none"

// orNone is the limit for a plan.
func (l limit) orNone() *plan.Limit {
	if l.none {
		return nil
	}
	return &l.Limit
}

func (l *limit) String() string {
	if l.none {
		return noLimit
	}
	return l.Limit.String()
}

// Set implements pflag.Value.
func (l *limit) Set(text string) error {
	if strings.TrimSpace(text) == noLimit {
		*l = limit{none: true}
		return nil
	}
	share, floor, ok := strings.Cut(text, ",")
	share, hundredths := strings.CutSuffix(strings.TrimSpace(share), "%")
	percent, err := strconv.Atoi(strings.TrimSpace(share))
	least, wrong := strconv.Atoi(strings.TrimSpace(floor))
	if !ok || !hundredths || err != nil || wrong != nil || percent < 0 || percent > 100 || least < 0 {
		return errors.New("a share and a number, such as 5%,10, or none")
	}
	*l = limit{Limit: plan.Limit{Percent: percent, Floor: least}}
	return nil
}

// Type implements pflag.Value.
func (l *limit) Type() string { return "limit" }
