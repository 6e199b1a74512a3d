package spec

// IsEmpty reports whether the value is the one that empties the field: "", [] or {}. It is false for fields
// that cannot be emptied.
func IsEmpty(f Field, v Value) bool {
	info, ok := Lookup(f)
	return ok && info.Empty != "" && v == Value(info.Empty)
}
