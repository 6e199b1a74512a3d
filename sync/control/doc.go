// Package control is the daemon's local API. Two servers, and what they may do is what sets them apart:
//
//   - the unix socket: everything that the commands status, explain, history, sync, pause, resume, release
//     and rollback need. Who may open the socket may tell the daemon what to do.
//   - the TCP listener (--listen, off by default): the status page, metrics and health. Nothing there
//     changes anything: it has no route that does, and answers GET and HEAD alone.
//
// # Words
//
//   - source: where both look. The daemon is one; it answers at once, whatever a pass is doing.
//   - status: one value, put together for each question from what the loop and the workers have published.
package control
