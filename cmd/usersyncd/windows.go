package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	_ "time/tzdata" // where the machine has no time zones; half a megabyte

	"github.com/spf13/pflag"

	"usersyncd/spec"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// changeWindows are the settings that say when something may happen.
type changeWindows struct {
	windows windowList
	fields  words
}

func (c *changeWindows) flags(f *pflag.FlagSet) {
	c.fields.list = nil
	for _, field := range plan.RoutingFields() {
		c.fields.list = append(c.fields.list, string(field))
	}
	f.Var(&c.windows, "change-window", "`HOURS` in which routing may be changed, such as 'Mon-Fri 20:00-06:00 Europe/Madrid', several with semicolons between; none: always")
	f.Var(&c.fields, "change-window-fields", "`FIELDS` that wait for a change window; leavers never do")
}

// schedule reads both flags. source says where the value of a flag came from, if not from the command line.
func (c *changeWindows) schedule(source map[string]string) (s plan.Schedule, err error) {
	for _, text := range c.windows.list {
		w, err := window.Parse(text)
		if err != nil {
			return s, fmt.Errorf("%s: %w", cmp.Or(source["change-window"], "--change-window"), err)
		}
		s.Windows = append(s.Windows, w)
	}
	if s.Fields, err = fieldsOf("change-window-fields", c.fields.list); err != nil {
		return s, err
	}
	switch {
	case slices.Contains(s.Fields, spec.Email):
		return s, errors.New("--change-window-fields: email cannot wait, since others refer to users by it; leave it out")
	case len(s.Fields) == 0 && len(s.Windows) > 0:
		return s, errors.New("--change-window-fields: no field would wait for the windows of --change-window; name some, or leave both out")
	}
	return s, nil
}
