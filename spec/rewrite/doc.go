// Package rewrite writes what an organization has as specs: into the files that already declare its users, in place and
// with comments kept, and into new files.
//
// [Write] takes these steps. Nothing is written before all of them have succeeded:
//
//  1. match.go finds the spec of each user: by id, else by address, else by former address.
//  2. mergefile.go compares each user with its spec, changes the text of its file (useredit.go, collection.go:
//     entries of lists and maps), and reads the new text back: the values must be the wanted ones, and nothing else may
//     have changed.
//  3. newuser.go makes a file for each user without a spec (filename.go: its name), and reads it back, too.
//  4. All files are checked together, as a load checks them.
//
// ownvalue.go works out what a user's own file must say on top of the _defaults.yaml files above it; emit.go writes
// values as YAML.
package rewrite
