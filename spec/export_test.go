package spec

// BlockLines is lines, for tests that write specs as people do.
func BlockLines(v Value) []string { return lines(v) }
