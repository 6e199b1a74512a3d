// Package report writes what a command has found: for people by what matters most, with equal changes folded into one entry,
// and in the formats of other programs.
package report
