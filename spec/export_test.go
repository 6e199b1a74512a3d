package spec

import (
	"fmt"
	"strings"
)

// MarkdownTable documents the fields as the README does.
func MarkdownTable() string {
	var b strings.Builder
	b.WriteString("| field | value | empty | meaning |\n|---|---|---|---|\n")
	for _, info := range table {
		empty := "no"
		if info.Empty() != "" {
			empty = "`" + info.Empty() + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", info.Field, info.typ.Form, empty, info.About)
	}
	return b.String()
}

// Uncached sets how many files were parsed since the cache file was written.
func (l *Loader) Uncached(n int) { l.uncached = n }
