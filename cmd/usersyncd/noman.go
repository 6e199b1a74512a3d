//go:build !man

package main

import "github.com/spf13/cobra"

// addMan adds nothing: man.go says why.
func addMan(*cobra.Command, func(string) (string, bool)) {}
