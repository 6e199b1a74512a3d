// Package aimd is the rate limiter: it finds out how fast an API may be called, and calls it no faster.
//
// # The algorithm
//
// The API counts requests per token in windows, says in most responses how much of the window is used, and answers 429
// when it is spent. The limits are not documented reliably, and there are several layers of them, so none is hard-coded.
// The limiter knows two speeds, and uses the slower one:
//
//   - The rate: what experience allows. It is halved after a 429, and grows by an additive step, larger for a larger rate,
//     while it is what limits requests (AIMD, additive increase and multiplicative decrease, which converges to a fair share
//     among clients that do not know each other; Chiu and Jain, 1989). It does not fall far below what the server accepted
//     in the last minute.
//   - The pace: what the headers allow. The rest of the budget over the rest of the window, minus what other clients of
//     the token may need.
//
// In one case the headers allow more than experience: while they show a budget, and no 429 contradicted them lately, slow start
// raises the speed with every answer. If all remaining work fits into the budget, it is not paced but rushed.
//
// A 429 with budget left comes from a limit of the requests in flight, from a limit of the rate that the headers do not show,
// or from nothing that lasts. At first half as many are in flight as were, and the rate stays. If there is another one within
// ten seconds although no more are in flight than that, it is the rate, which is cut; the headers are distrusted for 10 s, and
// each time for twice as long, ten minutes at most.
//
// Without headers the limiter uses slow start until the first 429, whose Retry-After reveals the window. From then on
// there is only the rate, and a rush if the rest fits into such a window.
//
//	req/s
//	      cold start
//	  20 |    /|
//	     |   / |            decrease: at most by half,      rush: the rest
//	     |  /  |            once an episode                 fits the window
//	   5 | /   |    probe  __..--''|    __..--''|                /|
//	     |/    |      |__--        |__--        |__--''..       / |
//	   0 +-----+------+------------+------------+--------------+--+--> time
//	           429    gate         429          429
//	           Retry-After: 48
//
// # The states
//
//	                   accepted               budget spent
//	START ---> PROBE ----------------> OPEN ---------------> EXHAUSTED
//	  ^            |                    |                        |
//	  | it opens   | 429                | 429, or 503 with       | the window ends
//	  |            v                    | Retry-After            v
//	  '--------- GATED <----------------'                      START
//	               |
//	               '---> PARKED, if the pause is longer than RetryAfterCap, or all probes of ten minutes are refused
//
// They are the type state. PROBE goes back to START if the probe proves nothing, and OPEN when its window ends, as nothing is
// known of the next one. PARKED goes to START once an hour.
//
// # Refusals of one request
//
// A 429 closes the gate for all, as the request says nothing of who is to blame. The probe after it is another request, if
// there is one. If that is accepted, the refused request is on its own: it waits for its own Retry-After, and its 429s concern
// nobody else until a different request is refused. What its first one has changed for all is taken back once the API refuses
// it and accepts others at the same time. After eight refusals of which the same holds it is refused for good. A 503 with a
// Retry-After concerns its request alone, until a second one has it with no accepted request in between.
//
//	RefusedError{After}   the caller sends the request again after that, and holds nothing up meanwhile
//	RefusedError{Final}   the caller gives it up
//
// # Terms
//
//   - Probe: a single request, before others follow. Requests that were in flight when the gate closed are no probes. If
//     a probe gets no answer, or one that proves nothing, another is sent; if it hangs for 3 s, a second one.
//   - Gate: no request before its end. It is set by Retry-After, or without one by 1, 2, 4 ... 60 s. It never shortens.
//   - Episode: all 429s with one cause. Answers to requests that were sent before the rate was cut do not cut it again,
//     and neither does a probe that fails after a gate.
//   - Window: the server's, as far as the headers tell. Its end is known within a bracket. Its budget counts what we sent
//     and what others are seen to have sent, and never grows within the window.
//   - Others: other clients of the token, noticed when the count rises by more than we sent. They are left as much as
//     they used in the window before, or will at their speed in this one, but no more than half, and less towards the end
//     of the window if they stay away. [Config].Reserve is left in any case.
//   - Rush: the remaining work is sent at the rate, not at the pace, because it fits into the window.
//   - Parked: the gate is longer than [RetryAfterCap], or all probes of ten minutes were refused. Acquire then returns
//     [ErrParked] instead of waiting, but for one probe an hour: the pause may be a mistake, or a clock's.
//   - Ticket: the permission to send one request. It is returned with the answer.
//   - Memory: what a restart need not find out again: a rate that was cut, the window, whether the headers can be
//     trusted, and the gate.
//
// # Usage
//
// [Controller] is the algorithm for one token. It has no clock and does no I/O: the time and the answers are passed in, so
// that tests play hours of throttling in milliseconds. [Pool] spreads one queue over the controllers of several tokens, and
// [Dispatcher] makes a pool usable by concurrent callers:
//
//	ticket, token, err := d.Acquire(ctx, "PATCH /users/{id}", "PATCH /users/3f0c")
//	if err != nil {
//		return err
//	}
//	resp, err := send(token)              // or d.Cancel(ticket, 0), if nothing was sent
//	d.Release(ticket, status, header)     // status 0 if there was no answer
//
// Expect tells how many requests remain: without it there is no rush, and no second token.
//
// The README in this folder compares the limiter with others, in simulated hours.
//
// # Limitations
//
//   - [golang.org/x/time/rate] is used with a burst of one, and only by AllowN, SetLimitAt and TokensAt with an explicit
//     time. Its Wait and Reserve promise a moment that a later SetLimit does not change, SetLimit(0) stops a waiter
//     forever, and a time that runs backwards adds tokens (golang/go#65508).
//   - Callers retry requests. A 429 does not count as an attempt.
//   - Other clients of a token are noticed from the next header on, and without headers not at all.
//   - A learned window is never a budget: a client that held back because of it would keep its share from clients that
//     come later (a Jain index of 0.85 in simulation).
//   - Whether several tokens have separate quotas is unknown. If they share one, each sees the others as other clients.
package aimd
