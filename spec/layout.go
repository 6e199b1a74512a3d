package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// newcomer is a user without a file, and the file it gets.
type newcomer struct {
	user   *User
	folder string // slash-separated, "." for the root
	file   string // path of the file
}

const longestSlug = 120 // bytes; file systems take 255

// placeAll gives every newcomer a file of its own. What is taken says which paths there are, in lower case, as some
// file systems do not tell cases apart. The names do not depend on the order of the newcomers.
func placeAll(all []*newcomer, taken map[string]bool) {
	names := []func(*newcomer) string{
		func(n *newcomer) string { local, _, _ := strings.Cut(n.user.Key, "@"); return slug(local) },
		func(n *newcomer) string { return slug(n.user.Key) },
		func(n *newcomer) string { return slug(n.user.Key) + "-" + fingerprint(n.user.Key) },
	}
	for round, name := range names {
		count := map[string]int{}
		wish := func(n *newcomer) string { return path.Join(n.folder, name(n)+".yaml") }
		for _, n := range all {
			if n.file == "" {
				count[wish(n)]++
			}
		}
		for _, n := range all {
			file := wish(n)
			if n.file == "" && (count[file] == 1 && !taken[file] || round == len(names)-1) {
				n.file = file
			}
		}
		for _, n := range all {
			if n.file != "" {
				taken[n.file] = true
			}
		}
	}
}

// folderOf is the folder of a new user: one a value of the field, the root for those without.
func folderOf(u *User, by Field) string {
	name := decoded[string](u.Fields[by])
	if name == "" {
		return "."
	}
	return strings.ReplaceAll(slug(name), ".", "-") // else it could look like a spec file, or be schema.json
}

// foreign are letters that do not come apart into an ASCII letter and a mark.
var foreign = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i", "ħ", "h")

// slug makes a file name of a text: lower case ASCII letters, digits, dots, dashes and underscores. It starts
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

// fingerprint tells apart what slugs cannot.
func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
