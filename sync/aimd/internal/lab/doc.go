// Package lab plays hours of rate limiting in milliseconds: servers that count requests as the API may
// count them, clients that deal with it in different ways, and virtual time between them.
//
// A [Lab] is a queue of events; nothing runs beside it, so a run depends on its seed alone. A [Server]
// is a model of a quota. A [Client] has requests to make, and a [Policy] makes them: the limiter of
// package aimd, or what people use instead. [Scenarios] are the combinations that are compared, each
// with a lower bound: what a scheduler would need that knows the server and has no latency.
package lab
