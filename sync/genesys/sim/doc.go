// Package sim simulates the user directory of Genesys Cloud: strict where the real API is strict, and
// adjustable where its behaviour is not known.
//
// A [Server] is an http.Handler that answers three kinds of path:
//
//   - POST /oauth/token, as the login service does;
//   - /api/v2/..., as the API does: users, search, what hangs under a user, what users refer to;
//   - /_sim/..., for whoever runs it: ledger, users, edits, faults. No token, no quota.
//
// [Server.Client] reaches it without a socket, so that testing/synctest can run hours of rate limiting
// in a moment; a real listener serves other processes. The package has JSON shapes of its own: it is
// checked against the vendor's description of the API, not against the client it is used to test.
//
// What it refuses, and where that comes from, is in the README.md of this folder.
package sim
