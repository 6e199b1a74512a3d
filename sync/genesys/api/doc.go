// Package api is the client of the Genesys Cloud Platform API: it logs in, keeps to the limiter's pace, sends a request,
// retries what may be retried, and decodes the answer or sorts the error. It knows nothing of users or of their fields.
//
// # The way of a request
//
// A [Request] is of an [Operation], which is a row in the package above: method, path, permissions, and what may be done
// with it. [Client.Send] takes a ticket from the [Limiter]; the ticket names a token slot, which holds one access token and
// the budget that the API counts against it. The request is sent, the ticket goes back with the status and the headers,
// and the answer becomes a value or an *apply.CallError of one kind:
//
//   - client.go: the way of one request; operation.go: what is known of it
//   - options.go, regions.go: what a client is made from
//   - login.go, token.go: access tokens; transport.go: connections, and the read-only guard
//   - retry.go: pauses between the attempts of a read, and what is done where nobody answers
//   - body.go: an answer is decoded as it arrives, and how large it may be
//   - paging.go, pagesize.go, pagecheck.go: listings in pages, how large these are, whether they contradict themselves, and where they end
//   - errors.go, codes.go: what an answer means that is not 2xx
//
// # What is sent again
//
// A 429 was not carried out: the request is sent again as soon as the limiter allows, as often as it takes. A 401 renews
// the token and is sent again once for each token. A read that fails otherwise is retried with growing pauses, in which it
// holds no ticket. A write is not: after a timeout or a 5xx nobody knows whether it was carried out, and only the caller,
// which can look, may decide. [Retry] has the settings, and what the vendor's SDK means by them.
//
// # Tokens
//
// Tokens are fetched one at a time, when they are first named. A slot without a token never fails a request that another
// slot can send. After a failure the first slot asks again in 1, 4, 16, 60 s, the spare ones after a minute, and refused
// credentials are left alone for five. A new token that the API refuses is forgotten, and for 5 s none is fetched. A request fails only because of the first slot: if credentials are refused, or if
// the pause is longer than Retry.MaxWait while no other slot has a token.
package api
