package specfile

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// isSpecFile reports whether a file of this name is a spec file. Case does not count, as on many file systems.
func isSpecFile(name string) bool {
	ext := path.Ext(name)
	return !isHidden(name) && (strings.EqualFold(ext, ".yaml") || strings.EqualFold(ext, ".yml"))
}

// IsPath reports whether a path, relative to the root, is that of a spec file, or of a folder that may have some.
func IsPath(name string, folder bool) bool {
	if name == "." {
		return folder
	}
	return (folder || isSpecFile(path.Base(name))) && !isHidden(name) && !strings.Contains(name, "/.")
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") }

// IsDefaults reports whether a file of the tree is a _defaults.yaml, whose fields others inherit.
func IsDefaults(name string) bool {
	base := path.Base(name)
	return isSpecFile(base) && strings.EqualFold(stem(base), defaultsName)
}

const defaultsName = "_defaults"

// stem is a name without its extension.
func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

// safeName reports whether a name has only visible characters.
func safeName(name string) bool {
	_, hidden := strictyaml.Hidden(name)
	return !hidden && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) && !unicode.Is(unicode.Join_Control, r)
	})
}

// Names that were probably meant to be those of spec files: something follows the extension, as in ana.yaml.bak.
var followedExtension = regexp.MustCompile(`(?i)\.ya?ml[^\p{L}\p{N}]`)

// resemblesSpecFile reports whether the name of a file, which is not that of a spec file, was probably meant to be one:
// something follows the extension, or it is misspelt.
func resemblesSpecFile(name string) bool {
	ext := []rune(strings.ToLower(path.Ext(name)))
	for i, r := range ext {
		if r > '~' {
			ext[i] = '?' // a letter of another script that looks the same
		}
	}
	return followedExtension.MatchString(name) || text.Distance(string(ext), ".yaml", 1) == 1 || text.Distance(string(ext), ".yml", 1) == 1 && ext[1] == 'y' ||
		slices.Equal(slices.Sorted(slices.Values(ext)), []rune(".almy"))
}

// ResemblesDefaults reports whether a file was probably meant to be a _defaults.yaml.
func ResemblesDefaults(name string) bool {
	return text.Distance(strings.ToLower(stem(path.Base(name))), defaultsName, 2) <= 2
}
