package specfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// A Listing is what a folder and those below it have.
type Listing struct {
	Paths    []string             // of the spec files, sorted; slash-separated, relative to the folder
	Problems []strictyaml.Problem // what is not a spec file, and may not be there
	Misnamed []string             // files that are not read, and were probably meant to be
}

// maxFolders is how deep folders may be nested: users inherit from all above them, and each is opened from the root.
const maxFolders = 50

// List lists the spec files of a folder and below. The error is checkout.ErrTreeChanged if a folder is gone meanwhile, ctx's, or
// says why the folder cannot be read.
func List(ctx context.Context, root *os.Root) (Listing, error) {
	var l Listing
	err := l.folder(ctx, root, ".")
	slices.Sort(l.Paths)
	return l, err
}

func (l *Listing) problem(name, format string, args ...any) {
	l.Problems = append(l.Problems, Problem(name, fmt.Sprintf(format, args...)))
}

// Problem is a problem of a file as a whole.
func Problem(name, message string) strictyaml.Problem {
	return strictyaml.Problem{Pos: strictyaml.Pos{File: text.Escape(name), Line: 1, Column: 1}, Message: message}
}

// folder collects the spec files of a folder and below. Hidden files and folders, such as .git, are skipped.
func (l *Listing) folder(ctx context.Context, root *os.Root, folder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s vanished: %w", text.Escape(folder), checkout.ErrTreeChanged)
	case err != nil && folder == ".":
		return err
	case err != nil:
		l.problem(folder, "%s", WhyUnread(err))
		return nil
	}
	defaults := ""
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		switch {
		case isHidden(e.Name()):
		case !e.IsDir() && !isSpecFile(e.Name()):
			if e.Type()&fs.ModeSymlink != 0 && leadsToFolder(root, name) {
				l.problem(name, "is a symbolic link to a folder; %s", insteadOfLink(root, name, "folder"))
			} else if resemblesSpecFile(e.Name()) {
				l.Misnamed = append(l.Misnamed, name)
			}
		case !safeName(e.Name()):
			l.problem(name, "has invisible characters in its name; rename it")
		case e.IsDir() && isSpecFile(e.Name()):
			l.problem(name, "is a folder with the name of a spec file; rename it")
		case e.IsDir() && strings.Count(name, "/") >= maxFolders:
			l.problem(name, "is in more than %d folders, one in the other; move it up", maxFolders)
		case e.IsDir():
			if err := l.folder(ctx, root, name); err != nil {
				return err
			}
		case e.Type()&fs.ModeSymlink != 0:
			l.problem(name, "is a symbolic link; %s", insteadOfLink(root, name, "file"))
		case !e.Type().IsRegular():
			l.problem(name, "%s", errNotRegular)
		case IsDefaults(name) && defaults != "":
			l.problem(name, "is beside %s; keep one of the two", defaults)
			l.Paths = append(l.Paths, name)
		case IsDefaults(name):
			defaults = e.Name()
			l.Paths = append(l.Paths, name)
		default:
			l.Paths = append(l.Paths, name)
		}
	}
	return nil
}

// insteadOfLink says what to do about a symbolic link. In a volume that Kubernetes makes of a ConfigMap every
// name is a link into the folder ..data, itself a link that moves when the ConfigMap changes.
func insteadOfLink(root *os.Root, name, kind string) string {
	if to, err := root.Readlink(name); err == nil && strings.HasPrefix(path.Clean(to), "..data/") {
		return "in a Kubernetes volume, give the folder " + text.Escape(filepath.Join(root.Name(), "..data")) + " instead of " + text.Escape(root.Name())
	}
	return "put the " + kind + " itself there"
}

// leadsToFolder reports whether a symbolic link, which may lead anywhere, ends at a folder.
func leadsToFolder(root *os.Root, name string) bool {
	info, err := os.Stat(filepath.Join(root.Name(), name))
	return err == nil && info.IsDir()
}
