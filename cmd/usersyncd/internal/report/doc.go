// Package report writes what a command has found: for people by what matters most, with equal changes folded into one entry,
// and in the formats of other programs: JSON, JUnit, the code quality and Terraform reports of GitLab, annotations of GitHub, and
// Markdown.
//
// Text of users - addresses, names of files, messages of the API - never becomes a part of a format: each escapes it in its
// own way.
package report
