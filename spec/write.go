package spec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"usersyncd/spec/text"
)

// WriteOptions say what of an organization is written, and where.
type WriteOptions struct {
	By     Field   // Division or Department: new users get a folder for each value; "" puts them all into the root
	Fields []Field // what is written and compared; nil means all. New files have email and name in any case
}

// WriteReport counts users. A user with something in Skipped is counted all the same, if it has a file.
type WriteReport struct {
	Created, Updated, Unchanged int
	Skipped                     []Problem // what the format cannot say, and of whom; by file
}

// InvalidError is returned when the specs of a folder have problems, so that nothing was written.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].String()
	}
	return fmt.Sprintf("%s (and %d more problems)", e.Problems[0], len(e.Problems)-1)
}

// Write writes users of an organization, as they are there, as specs below a folder, which is made if it is
// missing. Loading it afterwards gives each of them the values written, but for what is in WriteReport.Skipped.
//
// A user that a spec declares already, by id or else by address, keeps its file: there, only values that
// differ (by Equal) are changed, and what is missing is added; all other text stays as it is. For the others
// new files are made. All is worked out and read back before the first file is written, and each
// file is replaced whole. Files that need no change are not touched.
//
// The error is an InvalidError if the folder's specs have problems, ErrTreeChanged if they change meanwhile, or says
// which file cannot be written.
func Write(ctx context.Context, dir string, users []*User, o WriteOptions) (WriteReport, error) {
	w, err := newWriter(ctx, dir, o)
	if err != nil {
		return WriteReport{}, fmt.Errorf("writing specs to %s: %w", dir, err)
	}
	defer func() { _ = w.root.Close() }()
	if err = w.plan(ctx, users); err == nil {
		err = w.writeAll(ctx)
	}
	if err != nil {
		return WriteReport{}, fmt.Errorf("writing specs to %s: %w", dir, err)
	}
	sortProblems(w.report.Skipped)
	return w.report, nil
}

// writer is one run of Write.
type writer struct {
	root    *os.Root
	loader  *Loader
	scan    *Scan
	tree    *Tree
	inherit *folders
	by      Field
	fields  []Info // in the format's order
	forNew  []Info // those of a new file
	report  WriteReport

	addresses    map[string]*User         // of the organization, by key
	content      map[string][]byte        // of the files to write, by path
	declarations map[string][]declaration // of all files, as they will be
}

func newWriter(ctx context.Context, dir string, o WriteOptions) (*writer, error) {
	if o.By != "" && o.By != Division && o.By != Department {
		return nil, fmt.Errorf("folders can be made by %s or %s, not by %s", Division, Department, quote(string(o.By)))
	}
	w := &writer{by: o.By, content: map[string][]byte{}, declarations: map[string][]declaration{}}
	for _, info := range table {
		if o.Fields == nil || slices.Contains(o.Fields, info.Field) {
			w.fields = append(w.fields, info)
			w.forNew = append(w.forNew, info)
		} else if info.Field == Email || info.Field == Name {
			w.forNew = append(w.forNew, info)
		}
	}
	for _, f := range o.Fields {
		if _, ok := Lookup(f); !ok {
			return nil, fmt.Errorf("%s is no field", quote(string(f)))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return w, w.open(ctx, dir)
}

// open reads what the folder declares already.
func (w *writer) open(ctx context.Context, dir string) (err error) {
	w.loader = NewLoader(dir)
	if w.scan, err = w.loader.scan(ctx); err != nil {
		return err
	}
	if w.tree, err = w.loader.load(ctx, w.scan); err != nil {
		return err
	}
	if len(w.tree.Problems) > 0 {
		return &InvalidError{w.tree.Problems}
	}
	if w.root, err = os.OpenRoot(w.scan.root); err != nil {
		return err
	}
	defaults := slices.DeleteFunc(slices.Clone(w.scan.files), func(f file) bool { return !IsDefaults(f.path) })
	if w.inherit, err = w.loader.loadDefaults(w.root, defaults, &Tree{}); err != nil {
		_ = w.root.Close()
		return err
	}
	for name, p := range w.loader.users {
		w.declarations[name] = p.declarations
	}
	return nil
}

// plan works out every file, and then checks the whole as a load would.
func (w *writer) plan(ctx context.Context, users []*User) error {
	known, fresh := w.match(users)
	o := newOpener(w.root)
	defer o.close()
	for _, f := range w.scan.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if matches := known[f.path]; len(matches) > 0 {
			if err := w.mergeFile(o, f, matches); err != nil {
				return fmt.Errorf("%s: %w", f.path, err)
			}
		}
	}
	taken, err := w.taken(fresh)
	if err != nil {
		return err
	}
	placeAll(fresh, taken)
	for _, n := range fresh {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.compose(n); err != nil {
			return fmt.Errorf("%s: %w", n.file, err)
		}
	}
	var all []declaration
	for _, name := range slices.Sorted(maps.Keys(w.declarations)) {
		all = append(all, w.declarations[name]...)
	}
	var tree Tree
	if tree.check(all); len(tree.Problems) > 0 {
		return fmt.Errorf("the specs would contradict each other: %w", &InvalidError{tree.Problems})
	}
	return nil
}

// match finds the specs of the users: by id, else by address, else by the address that a spec renames. Known
// is by file.
func (w *writer) match(users []*User) (known map[string][]matched, fresh []*newcomer) {
	users = slices.Clone(users)
	for i, u := range users {
		if key := Key(u.Key); key != u.Key {
			users[i] = &User{Key: key, ID: u.ID, Fields: u.Fields}
		}
	}
	slices.SortFunc(users, func(a, b *User) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
	claimed, found := map[*User]bool{}, map[*User]*User{}
	key := func(u *User) string { return u.Key }
	id := func(u *User) string { return strings.ToLower(u.ID) }
	only := func(name func(*User) string) func(*User) []string {
		return func(s *User) []string { return []string{name(s)} }
	}
	for _, by := range []struct {
		ofSpec func(*User) []string
		ofUser func(*User) string
	}{
		{only(id), id}, {only(key), key}, {func(s *User) []string { return s.PreviousEmails }, key},
	} {
		specs := map[string]*User{}
		for _, s := range w.tree.Users {
			for _, name := range by.ofSpec(s) {
				specs[name] = s
			}
		}
		delete(specs, "")
		for _, u := range users {
			if s := specs[by.ofUser(u)]; s != nil && found[u] == nil && !claimed[s] {
				found[u], claimed[s] = s, true
			}
		}
	}
	known = map[string][]matched{}
	w.addresses = map[string]*User{}
	for _, u := range users {
		twin := w.addresses[u.Key]
		w.addresses[u.Key] = u
		switch s := found[u]; {
		case s != nil:
			known[s.Pos.File] = append(known[s.Pos.File], matched{s, u})
		case twin != nil:
			w.skip(Pos{".", 1, 1}, u, string(Email), errors.New("another user of the organization has the address"))
		default:
			if info, _ := Lookup(Email); readable(info, Text(u.Key), Text(u.Key), nil) != nil {
				w.skip(Pos{".", 1, 1}, u, string(Email), readable(info, Text(u.Key), Text(u.Key), nil))
				continue
			}
			fresh = append(fresh, &newcomer{user: u, folder: folderOf(u, w.by)})
		}
	}
	return known, fresh
}

func (w *writer) skip(at Pos, u *User, field string, why error) {
	w.report.Skipped = append(w.report.Skipped, Problem{Pos: at, Field: field, Message: fmt.Sprintf("%s: not exported: %s", text.Escape(u.Key), why)})
}

// taken lists the paths in the folders of new users, in lower case.
func (w *writer) taken(fresh []*newcomer) (map[string]bool, error) {
	out, seen := map[string]bool{}, map[string]bool{}
	for _, n := range fresh {
		if seen[n.folder] {
			continue
		}
		seen[n.folder] = true
		entries, err := readDir(w.root, n.folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", n.folder, err)
		}
		for _, e := range entries {
			out[path.Join(n.folder, strings.ToLower(e.Name()))] = true
		}
	}
	return out, nil
}
