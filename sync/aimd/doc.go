// Package aimd finds out how fast an API may be called, and calls it no faster.
//
// # The idea
//
// The API counts requests per token in windows, says on most responses how much of the window is
// used, and answers 429 when it is spent. Nobody documents the limits reliably and there are several
// layers of them, so nothing is hard-coded. Two things are known, and the slower one wins:
//
//   - The rate: what experience allows. Multiplied by a half after a 429, slowly grown back by an
//     additive step while it is what holds us up (AIMD, additive increase and multiplicative
//     decrease: the rule that converges to a fair share among clients that do not know each other;
//     Chiu and Jain, 1989). It does not fall far below what the server has accepted in the last
//     minute: that much it evidently allows.
//   - The pace: what the headers allow. The rest of the budget over the rest of the window, less what
//     others who use the token may want of it.
//
// The headers are a ceiling. They lift the rate in one case only: while they vouch for a budget and
// no 429 has contradicted them in ten minutes, slow start raises the rate with every answer. If all
// the work that is left fits into the budget, pacing has no purpose and the rest is rushed.
//
// A server without headers is asked in the same way: slow start until the first 429, whose
// Retry-After then gives the window away. From there on it is the rate alone, and a rush if the rest
// fits into a window like that one.
//
//	req/s
//	      cold start
//	  20 |    /|
//	     |   / |            decrease: at most a half,       rush: the rest
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
//	           ^   |                    |                        |
//	  it opens |   | 429                | 429, or 503 with       | the window ends
//	           |   v                    | Retry-After            v
//	           GATED <------------------'                      PROBE
//	           |
//	           '---> PARKED, if the pause is longer than anybody should wait
//
// OPEN goes back to PROBE too when its window ends, as nothing is known of the next one.
//
// # The words
//
//   - Probe: a request sent alone, before others follow. Requests that were already in flight when
//     the gate shut do not count. No answer, or one that proves nothing, frees the slot for another.
//   - Gate: nothing passes before its end. It is set by Retry-After, or without one by 1, 2, 4 ... 60 s,
//     and it never shortens.
//   - Episode: all 429s of one cause. The answers to requests sent before the rate was cut do not cut
//     it again, and neither does a probe that fails after a gate.
//   - Window: the server's, as far as the headers tell. Its end is bracketed, and its budget counts
//     what we sent and what others are seen to have sent; it never grows within the window.
//   - Others: whoever else spends the budget, as the count rises by more than we sent. As much as they
//     used in the window before, or will at their speed in this one, is left to them, but no more than
//     half: two limiters that share a token meet in the middle. Towards the end of the window it is less,
//     if they stay away. [Config].Reserve is left in any case.
//   - Rush: the rest of the work goes at the rate, not at the pace, because it fits.
//   - Parked: the gate is longer than anybody should wait ([Config].RetryAfterCap). Acquire then fails
//     with [ErrParked] instead of waiting.
//   - Ticket: the permission to send one request. It is handed back with what came of it.
//   - Memory: what a restart needs not find out again: a rate that was cut, the window, that the headers
//     do not tell all, and the gate above all.
//
// # How to use it
//
// [Controller] is the algorithm for one token: it is told the time and has no other input, so that
// hours of throttling can be tested in milliseconds. [Pool] spreads one queue over the controllers of
// several tokens, and [Dispatcher] puts a pool to work for concurrent callers:
//
//	ticket, token, err := d.Acquire(ctx)
//	if err != nil {
//		return err
//	}
//	resp, err := send(token)              // or d.Cancel(ticket, 0), if nothing was sent
//	d.Release(ticket, status, header)     // status 0 if no answer came
//
// Who knows how much is still to come says so with Expect: without it there is no rush, and no
// second token.
//
// The README in this folder compares it with other ways to deal with a quota, in simulated hours.
//
// # Caveats
//
//   - [golang.org/x/time/rate] is used with a burst of one, by AllowN, SetLimitAt and TokensAt with an
//     explicit time alone. Its Wait and Reserve promise a moment that a later SetLimit does not
//     change, SetLimit(0) stops a waiter for ever, and a time that runs backwards mints tokens
//     (golang/go#65508). Nothing is ever reserved here, so each new rate holds from the next call on.
//   - The retrying of a request is the caller's. A 429 never counts as an attempt.
//   - The token's budget is shared with whoever else uses the token: that is noticed from the next
//     header on, not before, and without headers not at all.
//   - The learned window is a permission and never a budget: a client that held back by it would keep
//     its share from whoever comes later (a Jain index of 0.85 in simulation).
//   - Whether the quotas of several tokens are really separate is the server's secret. If they are not,
//     each sees the others as others.
package aimd
