package specfile

import (
	"context"
	"regexp"
	"slices"
	"sync"
)

// declaredEmail finds the address of a user where people write it: behind "email:", in a line of its own or among the fields of
// a user on one line, and not in a comment.
var declaredEmail = regexp.MustCompile(`(?m)^(?:[^#\n]*[\s{,])?email:[ \t]*["']?([^\s"'#,{}]+@[^\s"'#,{}]+)`)

// Addresses returns the addresses that the specs below a folder declare, sorted, for a person to choose from, as when a shell
// completes a word. Nothing is parsed or checked, so that it takes a fraction of the time of Loader.Load, and one that is written
// in an uncommon way is missing. When ctx ends, it returns what it has found by then.
func Addresses(ctx context.Context, dir string) []string {
	root, err := OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = root.Close() }() // it was only read
	listing, _ := List(ctx, root)
	var mu sync.Mutex
	var found []string
	_ = InChunks(ctx, len(listing.Paths), root, func(o *Opener, i int) error {
		content, err := o.Read(listing.Paths[i])
		if err != nil {
			return nil //nolint:nilerr // the other files are read
		}
		for _, match := range declaredEmail.FindAllSubmatch(content, -1) {
			address := string(match[1])
			mu.Lock()
			found = append(found, address)
			mu.Unlock()
		}
		return nil
	})
	slices.Sort(found)
	return slices.Compact(found)
}
