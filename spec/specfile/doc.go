// Package specfile finds the spec files below a folder, by their names, and reads them. What is in them is left to package spec.
//
// The folder comes from pull requests. Links, devices, names with invisible characters and files that are too large are
// problems, with words on what to do. Nothing that is read lies outside the folder.
package specfile
