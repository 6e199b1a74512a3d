// Package strictyaml reads the YAML of specs and settings, and refuses what makes YAML mean something other than it
// shows: anchors, aliases, merge keys, tags, duplicate keys, invisible characters, and any encoding but UTF-8.
//
// [Parse] turns the text of a file into a tree of [Node] values, each with its line and column, and reports what it
// refuses as a [Problem] at the place where it is written. [Source] changes
// a file in place: it finds nodes in the text and replaces parts of it, so that all other text stays as it is.
//
// What the library refuses is explained by a scanner of our own (scanner.go), which says where the mistake begins and what to
// write. The scanner also counts the nodes of a large file before the library builds them.
//
// It is a package of its own because it alone knows the YAML library. The library builds only its node tree, where it
// neither panics nor takes quadratic time (it does when it builds maps: "<<:\n? -"). What others call StrictYAML
// refuses much the same; this one keeps lists and maps on one line, which people write.
package strictyaml
