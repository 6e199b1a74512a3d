package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

func newHistory(c *config.Config, p process) *cobra.Command {
	var begin, revision string
	details, limit := false, 0
	cmd := command(c, config.Query, &cobra.Command{
		Use:   "history [flags] [EMAIL]",
		Short: "Show what was written: when, to whom, for which commit",
		Long: `history shows the writes that Genesys has confirmed, the newest pass first:
time, revision of the specs, users, and each field before and after. Equal
writes of one pass are one entry, as in plan. --details and JSON have each write
alone, with the correlation id for the vendor's support. It also shows writes
without a response, if their outcome could not be read, and who is no longer
managed, which is no write to Genesys. The newest 50,000 are kept in the state
file. It asks the running daemon or, when none runs, that file.`,
		Example: `  usersyncd history --since 2h
  usersyncd history ana.perez@example.com --output json
  usersyncd history --revision 3f0c1d2e --limit 10`,
		Args: atMost(1, "one user"),
		RunE: func(cmd *cobra.Command, args []string) error {
			folded, limited := c.PrintsText() && !details, cmd.Flags().Changed("limit")
			if limited && limit < 1 {
				return usage("--limit: invalid value \"%d\": must be a whole number of at least 1", limit)
			}
			if !limited {
				limit = map[bool]int{true: mostFolded, false: mostAlone}[folded]
			}
			if err := checkRevision(revision); err != nil {
				return err
			}
			q := state.Query{Revision: revision, Limit: limit}
			if len(args) == 1 {
				q.Email = spec.Key(args[0])
			}
			var from time.Time
			if begin != "" {
				var err error
				if from, err = parseSince(begin, time.Now()); err != nil {
					return err
				}
				if q.Since = from; folded {
					q.Since = from.Add(-passGap) // to see whether it cuts a pass in two
				}
			}
			b, err := openBackend(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer b.Close()
			events, err := b.History(cmd.Context(), q)
			if err != nil {
				return err
			}
			passes := since(from, byPass(events))
			events = slices.DeleteFunc(events, func(e state.Event) bool { return e.At.Before(from) })
			if c.PrintsText() && len(events) == 0 {
				fmt.Fprintln(p.stderr, "no matching writes")
			}
			left := 0
			err = p.show(c, history{"usersyncd.history/v1", shownEvents(events)}, func(w io.Writer) {
				if !folded {
					for _, e := range events {
						printEvent(sheet{w, logging.Width(p.stdout)}, e)
					}
					return
				}
				t, most := p.text(c), mostPasses
				if limited {
					most = len(events)
				}
				t.DetailsCommand = "usersyncd history --details" + c.Same("config", "state", "socket")
				left = printHistory(t, w, passes, most)
			})
			switch {
			case left > 0:
				fmt.Fprintf(p.stderr, "%s not shown: --since or --revision selects, --limit N shows the newest N writes\n", text.Count(left, "earlier pass is", "earlier passes are"))
			case len(events) == limit:
				fmt.Fprintf(p.stderr, "these are the newest %s; --limit N shows more\n", text.Plural(limit, "write"))
			}
			return err
		},
	})
	cmd.Flags().BoolVar(&details, "details", false, "show each write alone, with its correlation id")
	cmd.Flags().StringVar(&begin, "since", "", "only writes since then: 90m, 2d, a day or a `TIME`")
	cmd.Flags().StringVar(&revision, "revision", "", "only writes for this `COMMIT`, or for COMMIT-dirty (uncommitted edits); an abbreviation is enough")
	cmd.Flags().IntVar(&limit, "limit", 0, "the newest `N` writes (default the last 50 passes, of at most 10,000 writes; with --details or JSON 100 writes)")
	return cmd
}

// What is shown if --limit does not say how many writes.
const (
	mostAlone  = 100    // writes
	mostFolded = 10_000 // writes of at most
	mostPasses = 50     // passes
)

func printEvent(w sheet, e state.Event) {
	words := plan.Action(e.Action).Words()
	switch plan.Action(e.Action) {
	case plan.Unmanage:
		words += ", not changed in Genesys:"
	case plan.Adopt:
		words += ", managed from now on:"
	}
	cause := ""
	if e.RollbackOf == "" {
		cause = plan.Cause(e.Cause).Words() + ", "
	}
	w.line(4, "%s %s %s (%s%s)", text.Time(e.At.Local()), words, e.Email, cause, whyWritten(e))
	for _, f := range e.Fields {
		before := ""
		if f.Before != "" {
			before = f.Before.Display() + " -> "
		}
		cause := text.Enclose(" (", plan.Cause(f.Cause).Words(), ")")
		w.line(8, "    %s: %s%s%s", f.Field, before, f.After.Display(), cause)
	}
	if e.CorrelationID != "" {
		w.line(4, "    correlation id %s", e.CorrelationID) // an id has 36 columns
	}
}

// history is usersyncd.history/v1.
type history struct {
	Schema string       `json:"schema"`
	Events []shownEvent `json:"events"`
}

// A shownEvent is a write with its values as JSON.
type shownEvent struct {
	state.Event
	Fields []shownField `json:"fields"`
}

type shownField struct {
	Field  spec.Field      `json:"field"`
	Before json.RawMessage `json:"before"` // null if it is unknown, as After
	After  json.RawMessage `json:"after"`
}

func shownEvents(events []state.Event) []shownEvent {
	out := []shownEvent{}
	for _, e := range events {
		shown := shownEvent{Event: e, Fields: []shownField{}}
		for _, f := range e.Fields {
			shown.Fields = append(shown.Fields, shownField{f.Field, f.Before.RawJSON(), f.After.RawJSON()})
		}
		out = append(out, shown)
	}
	return out
}

// parseSince reads a time: how long ago (90m, 2d), a day, or a time with its zone.
func parseSince(text string, now time.Time) (time.Time, error) {
	ago := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil {
			ago = strconv.Itoa(24*n) + "h"
		}
	}
	if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--since: %q is not a time: give how long ago (90m, 2d), a day (2026-11-24), or a time (2026-11-24T03:00:00Z)", text)
}
