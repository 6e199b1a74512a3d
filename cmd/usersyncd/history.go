package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

func newHistory(c *config.Config, p process) *cobra.Command {
	var since, revision string
	limit := 100
	cmd := &cobra.Command{
		Use:   "history [flags] [EMAIL]",
		Short: "Show what was written: when, to whom, for which commit",
		Long: `history shows the writes that Genesys has confirmed, the newest first: time,
user, commit, each field before and after, and the correlation id that the
vendor's support asks for; and those whose answer was lost, if nobody could
look what came of them. The newest 50,000 are kept, in the state file. It
asks the running daemon or, when none runs, that file.`,
		Example: `  usersyncd history --since 2h
  usersyncd history ana.perez@example.com --output json
  usersyncd history --revision 3f0c1d2e --limit 10`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("one user at a time; %q is too much", args[1])
			}
			return nil
		},
		RunE: withSettings(c, func(cmd *cobra.Command, args []string) error {
			q := state.Query{Revision: revision, Limit: limit}
			if len(args) == 1 {
				q.Email = spec.Key(args[0])
			}
			if since != "" {
				var err error
				if q.Since, err = parseSince(since, time.Now()); err != nil {
					return err
				}
			}
			if limit < 1 {
				return usage("--limit: %d is not a number from 1 on", limit)
			}
			r, err := openBackend(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer r.close()
			if r.nothing != nil {
				return r.nothing
			}
			var events []state.Event
			if r.client != nil {
				events, err = r.client.History(cmd.Context(), q)
			} else {
				events, err = r.store.History(q)
			}
			if err != nil {
				return err
			}
			if c.Output == "json" {
				return printHistoryJSON(p.stdout, events)
			}
			for _, e := range events {
				printEvent(p.stdout, e)
			}
			if len(events) == 0 {
				fmt.Fprintln(p.stderr, "nothing was written that fits")
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&since, "since", "", "not older than this: 90m, 2d, a day or a `TIME`")
	cmd.Flags().StringVar(&revision, "revision", "", "what one `COMMIT` asked for, or COMMIT-dirty: edits on top of it; or how it begins")
	cmd.Flags().IntVar(&limit, "limit", limit, "most writes shown")
	c.Declare(cmd, config.Query)
	return cmd
}

// printEvent writes one write, a line for the user and a line a field.
func printEvent(w io.Writer, e state.Event) {
	undo := ""
	if e.RollbackOf != "" {
		undo = ", undoes " + spec.ShortRevision(e.RollbackOf)
	}
	fmt.Fprintf(w, "%s %s %s (%s, %s%s)", e.At.Local().Format(time.DateTime), text.Escape(e.Action), text.Escape(e.Email), text.Escape(e.Cause), cmp.Or(text.Escape(spec.ShortRevision(e.Revision)), "no revision"), text.Escape(undo))
	if e.Uncertain {
		fmt.Fprint(w, " uncertain: the answer was lost")
	}
	if e.CorrelationID != "" {
		fmt.Fprintf(w, " %s", text.Escape(e.CorrelationID))
	}
	fmt.Fprintln(w)
	for _, f := range e.Fields {
		if f.Before == "" {
			fmt.Fprintf(w, "    %s: %s\n", f.Field, f.After.Display())
		} else {
			fmt.Fprintf(w, "    %s: %s -> %s\n", f.Field, f.Before.Display(), f.After.Display())
		}
	}
}

// A shownEvent is a write as the contracts have it, in which values are JSON.
type shownEvent struct {
	state.Event
	Fields []shownField `json:"fields"`
}

type shownField struct {
	Field  spec.Field      `json:"field"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

func shownEvents(events []state.Event) []shownEvent {
	out := []shownEvent{}
	for _, e := range events {
		shown := shownEvent{Event: e, Fields: []shownField{}}
		for _, f := range e.Fields {
			shown.Fields = append(shown.Fields, shownField{f.Field, rawJSON(f.Before), rawJSON(f.After)})
		}
		out = append(out, shown)
	}
	return out
}

// printHistoryJSON writes one object of the schema usersyncd.history/v1.
func printHistoryJSON(w io.Writer, events []state.Event) error {
	return printJSON(w, struct {
		Schema string       `json:"schema"`
		Events []shownEvent `json:"events"`
	}{"usersyncd.history/v1", shownEvents(events)})
}

// rawJSON is a value as JSON; null where it is not known.
func rawJSON(v spec.Value) json.RawMessage {
	if v == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(v)
}
