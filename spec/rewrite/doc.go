// Package rewrite writes what an organization has as specs: into the files that declare its users already, in place and
// with their comments kept, and into new files.
//
// [Write] goes through these steps; nothing is written before all of them have succeeded:
//
//  1. match.go finds the spec of each user: by id, else by address, else by the address that a spec renames.
//  2. mergefile.go compares each user with its spec, changes the text of its file (useredit.go: keys; entries.go:
//     entries of lists and maps), and reads the new text back: it must mean what was meant and change nothing else.
//  3. newuser.go writes a file for each user without a spec (filename.go: its name), and reads it back, too.
//  4. All files are checked together, as a load would check them.
//
// What a user's own file must say on top of the _defaults.yaml files above it is worked out by ownvalue.go; emit.go
// writes values as YAML.
package rewrite
