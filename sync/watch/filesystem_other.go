//go:build !linux

package watch

// SilentFileSystem is implemented for Linux only.
func SilentFileSystem(string) string { return "" }
