package main

import (
	"errors"
	"slices"
	"strings"
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
