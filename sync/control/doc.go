// Package control is the daemon's status, in the one form in which it leaves the process. Packages below serve it:
//
//   - rpc: the unix socket, for the commands status, explain, history, sync, pause, resume, release and rollback.
//     Whoever can open the socket can command the daemon.
//   - web: the status page, on the TCP listener (--listen, off by default). It answers GET and HEAD alone, and has no
//     route that changes anything.
//   - health: /livez, /readyz and /metrics, on the same listener; and the judge of liveness, which the watchdog uses, too.
//   - notify: messages to a webhook.
package control
