package rewrite

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"strings"
	"unicode"

	"usersyncd/spec"

	"golang.org/x/text/unicode/norm"
)

const longestSlug = 120 // bytes; file systems take 255

// nameFiles gives every new user a file of its own. taken holds the existing paths, in lower case, as some file systems
// ignore case. The names do not depend on the order of the users.
func nameFiles(all []*newUser, taken map[string]bool) {
	names := []func(*newUser) string{
		func(n *newUser) string { local, _, _ := strings.Cut(n.user.Key, "@"); return slug(local) },
		func(n *newUser) string { return slug(n.user.Key) },
		func(n *newUser) string { return slug(n.user.Key) + "-" + fingerprint(n.user.Key) },
	}
	for round, name := range names {
		count := map[string]int{}
		file := func(n *newUser) string { return path.Join(n.folder, name(n)+".yaml") }
		for _, n := range all {
			if n.file == "" {
				count[file(n)]++
			}
		}
		for _, n := range all {
			if name := file(n); n.file == "" && (count[name] == 1 && !taken[name] || round == len(names)-1) {
				n.file, taken[name] = name, true
			}
		}
	}
}

// taken lists the paths in the folders of new users, in lower case.
func (w *writer) taken(users []*newUser) (map[string]bool, error) {
	out, seen := map[string]bool{}, map[string]bool{}
	for _, n := range users {
		if seen[n.folder] {
			continue
		}
		seen[n.folder] = true
		entries, err := fs.ReadDir(w.Root.FS(), n.folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			out[path.Join(n.folder, strings.ToLower(e.Name()))] = true
		}
	}
	return out, nil
}

// folderOf is the folder of a new user: one for each value of the field, the root for users without.
func folderOf(u *spec.User, by spec.Field) string {
	name := u.Fields.Get(by).Text()
	if name == "" {
		return "."
	}
	return strings.ReplaceAll(slug(name), ".", "-") // else it could look like a spec file, or be schema.json
}

// foreign are letters that do not decompose into an ASCII letter and a mark.
var foreign = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i", "ħ", "h")

// slug makes a file name from a text: lower case ASCII letters, digits, dots, dashes and underscores. It starts
// with a letter or a digit, so it is neither hidden nor _defaults.
func slug(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(foreign.Replace(strings.ToLower(text))) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_':
			b.WriteRune(r)
		case unicode.Is(unicode.M, r):
		case !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), "-._")
	switch {
	case s == "":
		return fingerprint(text)
	case len(s) > longestSlug:
		return strings.TrimRight(s[:longestSlug], "-._") + "-" + fingerprint(text)
	}
	return s
}

// fingerprint distinguishes texts with the same slug.
func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
