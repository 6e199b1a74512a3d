// Package genesys speaks the users API of Genesys Cloud and implements the usersync.Directory that a
// pass works with.
//
// # The idea
//
// A pass knows users as fields with canonical values; the API knows them as JSON with ids, versions
// and four ways to show a telephone number. This package is the only place that knows both. It
// compiles a change into the fewest calls, sends each call once, and says what came of it in one of
// the kinds of errors that the pass acts on.
//
// # The words
//
//   - ticket: the leave of the Limiter to put one request on the wire, handed back with the answer.
//     It names the door, that is the token, the request is to go through.
//   - door: one access token and the budget that the API counts against it. The first is needed; the
//     others, if the Limiter has any, are spare.
//   - pause: how long the login service is not asked. It holds for all doors; the ticket goes back with it,
//     and the Limiter shuts that door alone.
//   - expand: a field that the API shows only when it is asked for. One that is asked for and still
//     missing is unknown, never empty.
//   - catalogue: all skills, or queues, and so on, by which names become ids and ids names. It is kept until
//     the next listing.
//   - apart: a field that no listing shows. It is read for one user at a time, or swept: from the grants of all
//     divisions, from the members of all queues.
//   - loose: a field that is written without the user's version.
//   - opaque: the user's contacts as the API showed them, kept so that those which no spec manages
//     are written back as they were. A PATCH replaces the whole list.
//
// # What is sent again, and what is not
//
// Of the calls that set the same again, whatever was before, the pass decides to send them again; of others it
// finds out first what came of them. A 429 was not carried out: it is sent again as soon as the limiter allows, as often as it takes. A
// 401 renews the token and is sent again once for each door. A read that fails otherwise is tried again
// with growing pauses, in which it holds no ticket. A write is not: after a timeout or a 5xx nobody knows
// whether it was carried out, and only the pass, which can look, may decide. [Retry] has the settings,
// and what the vendor's SDK means by them.
//
// A door without a token never fails a call that another door can make. Tokens are fetched one at a
// time, when they are first named. After a failure the first door asks again in 1, 4, 16, 60 s, the spare
// ones after a minute, and refused credentials are left alone for five. What fails a call is the first
// door alone: credentials that are refused, or a pause longer than Retry.MaxWait while no other door has
// a token.
//
// # Caveats
//
// The search index lags behind writes, so Find proves nothing just after one, and Search nothing at all. A
// listing moves while it is read, so it can miss a user who was changed meanwhile: a missing line proves
// nothing either. One that contradicts itself is no answer: it is read once more, and is then an error. A
// manager is observed as "id:" and the Genesys id, so that a manager who is renamed stays the same; it
// is written by address. The API's own words in errors may name users; they never hold the secret or
// a token.
package genesys
