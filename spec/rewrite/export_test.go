package rewrite

import "usersyncd/spec"

// BlockLines is lines, for tests that write specs as people do.
func BlockLines(v spec.Value) []string { return lines(v) }
