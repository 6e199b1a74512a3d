package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

func newRelease(c *config.Config, p process) *cobra.Command {
	force := false
	cmd := command(c, config.Query, &cobra.Command{
		Use:   "release [flags] PLAN-ID",
		Short: "Allow the changes that a guard holds",
		Long: `release lets the next pass make the changes that a guard holds under a plan id,
and no others: users who are held later stay held. --once and the service print
the id with the reason, and status lists it. A running service starts a pass at
once. Without one the state file keeps the id for the next pass; it is refused
if the last pass holds nothing under it. A run without a state file, as in CI,
takes the id itself, and so does one for what plan alone has held so far:
--once --release.

To release a part of it, restore the specs of the users who are to stay as they
are. What is then held has a new id, which the next pass or plan prints.

What a setting forbids (--protect, --allow-roles and so on) cannot be released:
change the setting.`,
		Example: `  usersyncd release p-1f3ac24e
  sudo usersyncd release --state /var/lib/usersyncd/usersyncd.db p-1f3ac24e`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("no plan id: give the one that is printed with the held changes, such as p-1f3ac24e")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id := args[0]
			if err := state.CheckPlanID(id); err != nil {
				return usage("%w", err)
			}
			return p.change(cmd, c, func(ctx context.Context, client *rpc.Client) (change, error) {
				h, err := client.Release(ctx, id)
				if errors.Is(err, rpc.ErrNotHeld) {
					return change{}, usage("%w", err)
				}
				next := "The daemon starts a pass now."
				if h.Rollback {
					next = "Plan the rollback again."
				} else if st, err := client.Status(ctx); err == nil && st.Paused != nil {
					next = untilResume
				}
				return released(h, next), err
			}, func(store *state.Store) (change, error) { return releaseInFile(store, id, force) })
		},
	})
	cmd.Flags().BoolVar(&force, "force", false, "without a service, keep an ID under which the last pass holds nothing, such as that of a rollback's plan")
	return cmd
}

const untilResume = "It is paused: nothing is changed before usersyncd resume."

func released(h plan.Hold, next string) change {
	return change{Changed: true, ID: h.ID, Hold: &h, Message: fmt.Sprintf("Released: %s, held by %s. %s", text.Plural(len(h.Users), "user"), h.By(), next)}
}

// releaseInFile keeps a release for the next pass, if the last one holds something under the id.
func releaseInFile(store *state.Store, id string, force bool) (change, error) {
	done := change{Changed: true, ID: id, Message: fmt.Sprintf("The next pass releases what is held under %s; if nothing is held under it by then, its log lists what is.", id)}
	last, err := usersync.ReadLastPass(store)
	if err != nil {
		return change{}, err
	}
	if last != nil && !last.Shown().At.IsZero() {
		h, err := heldBy(last, id)
		switch {
		case err == nil:
			meta, err := store.Meta()
			if err != nil {
				return change{}, err
			}
			next := "The next pass applies it, if it has the same settings."
			if meta.Pause != nil {
				next = untilResume
			}
			done = released(h, next)
		case h.ID != "":
			return change{}, usage("%w", err)
		case !force:
			return change{}, usage("%w; if another state file than %s has it, give that with --state; --force keeps the id for the next pass", err, store.Path())
		}
	}
	return done, store.Commit(state.Commit{AddReleases: []string{id}})
}

// keepsRelease returns whether the daemon, or the state file, takes the release of an id: of what no pass has met yet it does not.
// first is whether this is the first run that has the file, and it may not be kept.
func (a *app) keepsRelease(first bool) func(id string) bool {
	last, err := usersync.ReadLastPass(a.Store) // it may be closed when the id is asked for
	return func(id string) bool {
		if last == nil || last.Shown().At.IsZero() || a.beside.store != nil {
			return err == nil && !first
		}
		_, notHeld := heldBy(last, id)
		return notHeld == nil && !first
	}
}

// heldBy returns what the last pass holds under an id.
func heldBy(last *usersync.LastPass, id string) (plan.Hold, error) {
	var others []string
	for _, h := range last.AllHolds() {
		switch {
		case h.ID == id && h.Releasable():
			return h, nil
		case h.ID == id:
			return h, fmt.Errorf("what is held under %s is not in the plan that was to be applied, and cannot be released: plan again", id)
		}
		others = append(others, fmt.Sprintf("%s (%s, by %s)", h.ID, text.Plural(len(h.Users), "user"), h.By()))
	}
	const most = 5
	held := "nothing else is held"
	if len(others) > 0 {
		held = "held are " + text.List(others, most, len(others))
	}
	return plan.Hold{}, fmt.Errorf("the last pass, which ended at %s, holds nothing under %s; %s", text.Time(last.Shown().At), id, held)
}
