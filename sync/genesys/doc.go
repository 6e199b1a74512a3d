// Package genesys implements the usersync.Directory of a pass on the users API of Genesys Cloud.
//
// A pass knows users as fields with canonical values; the API knows them as JSON with ids, versions and four ways to show
// a telephone number. This package is the only place that knows both.
//
// # Where things are
//
//   - fields.go: a row for each field: its names at the API, how it is read and written, what it takes
//   - operations.go: a row for each request of the API: method, path, permissions, entries at once
//   - compile.go: changes become the fewest calls, from the rows of the fields; do.go: a call becomes a request
//   - user.go: fields that a User itself has. rated.go, roles.go, members.go, subresources.go: the others, which have
//     requests of their own
//   - listing.go, batch.go, directory.go: reading all users, many, and one
//   - names.go: names of skills, queues and so on become ids, and ids names
//   - access.go: what the OAuth client may do, for usersyncd doctor
//
// Below it, package api is the client: login, rate, retries, errors. Package names has the indexes of names, package contact
// the shapes of a user's contacts. The simulated organization in sim shares no code with any of these.
//
// # The way of a change, and of an answer
//
// Compile asks the row of each field that differs: POST takes it, PATCH takes it, or it has steps of its own. Do prepares
// the request of a call (ids are looked up now, the version is the one now known) and sends it once. The answer, decoded by
// the rows, is what is now known of the user; where it shows nothing, what was written is.
//
// # Words
//
//   - expand: a field that the API shows only if it is asked for. If it is missing all the same, it is unknown, never empty.
//   - detail field: a field that no User shows. It is read for one user at a time, or for many at once where that is less.
//   - unversioned field: a field that is written without the user's version.
//   - opaque: the user's contacts as the API showed them. A PATCH replaces the whole list, and entries that no spec manages
//     are written back as they were.
//
// # Caveats
//
// The search index lags behind writes, so Find proves nothing just after one, and Search nothing at all. A listing moves
// while it is read, so that it can miss a user who was changed meanwhile. One that contradicts itself is read once more, and
// is then an error. A manager is observed as "id:" and the Genesys id, so that a manager who is renamed stays the same;
// it is written by address. The API's own words in errors may name users; they never hold the secret or a token.
package genesys
