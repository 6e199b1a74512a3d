// Package examples holds a believable organization as user specs: Harbourlight Energy, which exists
// nowhere. The demo and the tests read it from the binary; people read it in the folder org.
package examples

import (
	"embed"
	"io/fs"
)

// The prefix all: brings the _defaults.yaml files, which embed leaves out otherwise.
//
//go:embed all:org
var files embed.FS

// Org is the tree of specs, with _defaults.yaml and the sites' folders at its root.
func Org() fs.FS {
	org, err := fs.Sub(files, "org")
	if err != nil {
		return files // cannot be: Sub refuses invalid names alone
	}
	return org
}
