package rewrite

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Options select what is written, and where.
type Options struct {
	By     spec.Field   // Division or Department: new users get a folder for each value; "" puts them all into the root
	Fields []spec.Field // what is written and compared; nil means all. New files have email and name in any case
}

// Report counts users. A user with an entry in Skipped is counted too, if it has a file.
type Report struct {
	Created, Updated, Unchanged int
	Skipped                     []spec.Problem // values that the format cannot express; by file
}

// Write writes users of an organization as specs below the folder of a loader, which is made if it does not exist. Loading it
// afterwards gives the same values, except for those in Report.Skipped, and parses nothing.
//
// If a spec declares the user already, values that differ (by [spec.Equal]) are changed there and missing ones are added;
// all other text stays as it is. For other users new files are made. Each file is replaced atomically. Files without
// differences are not touched.
//
// The error is a [*spec.InvalidError] if the folder's specs have problems, [spec.ErrTreeChanged] if they change
// meanwhile, or names the file that cannot be written.
func Write(ctx context.Context, specs *spec.Loader, users []*spec.User, o Options) (Report, error) {
	report, err := write(ctx, specs, users, o)
	if err != nil {
		return Report{}, fmt.Errorf("writing specs to %s: %w", specs.Dir(), err)
	}
	return report, nil
}

// writer is one run of Write.
type writer struct {
	*spec.Overlay
	by     spec.Field
	fields []spec.FieldInfo // in the format's order
	forNew []spec.FieldInfo // those of a new file
	report Report

	addresses map[string]*spec.User // of the organization, by key
	content   map[string][]byte     // of the files to write, by path
}

func write(ctx context.Context, specs *spec.Loader, users []*spec.User, o Options) (Report, error) {
	w, err := newWriter(o)
	if err != nil {
		return Report{}, err
	}
	if err := os.MkdirAll(specs.Dir(), 0o755); err != nil {
		return Report{}, err
	}
	if w.Overlay, err = spec.OpenOverlay(ctx, specs); err != nil {
		return Report{}, err
	}
	defer w.Close()
	if err := w.plan(ctx, users); err != nil {
		return Report{}, err
	}
	if err := w.writeAll(ctx); err != nil {
		return Report{}, err
	}
	strictyaml.SortProblems(w.report.Skipped)
	return w.report, nil
}

func newWriter(o Options) (*writer, error) {
	if o.By != "" && o.By != spec.Division && o.By != spec.Department {
		return nil, fmt.Errorf("folders can be made by %s or %s, not by %s", spec.Division, spec.Department, text.Quote(string(o.By)))
	}
	w := &writer{by: o.By, content: map[string][]byte{}}
	for _, info := range spec.AllFields() {
		if o.Fields == nil || slices.Contains(o.Fields, info.Field) {
			w.fields = append(w.fields, info)
			w.forNew = append(w.forNew, info)
		} else if info.Field == spec.Email || info.Field == spec.Name {
			w.forNew = append(w.forNew, info)
		}
	}
	for _, f := range o.Fields {
		if _, ok := spec.Lookup(f); !ok {
			return nil, fmt.Errorf("there is no field %s", text.Quote(string(f)))
		}
	}
	return w, nil
}

// plan works out the content of every file, and then checks them together, as a load does.
func (w *writer) plan(ctx context.Context, users []*spec.User) error {
	known, created := w.match(users)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.mergeFile(name, known[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	taken, err := w.taken(created)
	if err != nil {
		return err
	}
	nameFiles(created, taken)
	for _, n := range created {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.compose(n); err != nil {
			return fmt.Errorf("%s: %w", n.file, err)
		}
	}
	if err := w.Check(); err != nil {
		return fmt.Errorf("the specs would contradict each other: %w", err)
	}
	return nil
}

// skipEntry reports an entry of a list or map that is left out of it. The rest of it is written, and so it is declared that
// the user does not have the entry.
func (w *writer) skipEntry(at spec.Pos, u *spec.User, p spec.Problem) {
	w.report.Skipped = append(w.report.Skipped, spec.Problem{Pos: at, Field: p.Field,
		Message: text.Escape(u.Key) + ": not exported, so that a sync would remove it: " + p.Message})
}

func (w *writer) skip(at spec.Pos, u *spec.User, field string, why error) {
	w.report.Skipped = append(w.report.Skipped, spec.Problem{Pos: at, Field: field, Message: fmt.Sprintf("%s: not exported: %s", text.Escape(u.Key), why)})
}
