package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/semaphore"
)

// Limiter paces the requests. Package aimd has one.
type Limiter interface {
	// Acquire waits until a request of an operation may be sent. It returns a ticket and the number of the token to send
	// it with. id is the same whenever a request is sent again, and no other request's. An error that is not ctx's means
	// that the wait would be too long. If it has a method RetryAfter() time.Duration, it concerns this request alone, which
	// the API refuses while it accepts others: 0 is for good, else the request is not to be sent before.
	Acquire(ctx context.Context, operation, id string) (ticket uint64, token int, err error)
	// Release hands the ticket back with the answer's status and headers; status 0 is no answer.
	Release(ticket uint64, status int, header map[string][]string)
	// Cancel hands a ticket back that was not used. If that was because its token cannot be fetched for a
	// while, pause says so: until then the limiter must not name this token again, but may name another.
	Cancel(ticket uint64, pause time.Duration)
	// Expect tells how many requests are still to come.
	Expect(n int)
}

// Options says which organization a Client speaks to and how. ClientID, ClientSecret, API and
// Limiter are required; of the rest the zero value is a good choice.
type Options struct {
	API   string // base URL, such as "https://api.mypurecloud.com"; Endpoints knows it
	Login string // base URL of the login service; derived from API if empty

	ClientID     string
	ClientSecret Secret
	Tokens       int // how many access tokens the Limiter's numbers may name, each fetched when it is first named; 1

	Limiter  Limiter
	ReadOnly bool          // refuse every request that could change something
	Timeout  time.Duration // of one request, from the moment it is sent; 30 s
	Retry    *Retry        // of reads; DefaultRetry
	PageSize int           // entries in a page of a listing that sets no size of its own; 500, the most that the API is known to accept

	Version   string            // ours, for the User-Agent
	Transport http.RoundTripper // instead of a connection to the network
	Proxy     func(*http.Request) (*url.URL, error)
	TLS       *tls.Config // for a CA of one's own
	MaxConns  int         // connections to a host, for each token; 10, no more than the limiter lets requests out

	Rand   *rand.Rand   // for jitter; used under a lock
	Logger *slog.Logger // each request at level debug, long waits for a token as warnings; never headers or bodies
}

// Secret is a string that shows itself to nobody: however it is printed, logged or marshalled it
// reads [redacted]. The one way to its content is string(s).
type Secret string

const redacted = "[redacted]"

// String returns [redacted].
func (Secret) String() string { return redacted }

// GoString returns [redacted].
func (Secret) GoString() string { return redacted }

// Format writes [redacted] for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns [redacted].
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Retry says what is sent again, in the terms of the vendor's SDK (its RetryConfiguration, and
// go-retryablehttp below it). Three things differ: the SDK retries nothing unless it is told to, it
// retries writes like reads, and a 429 is one of its attempts.
type Retry struct {
	// Max is how often a read that failed is retried; 0 is never. A write never is. The SDK's
	// RetryMax, 20 in its README; 0 by default.
	Max int
	// MinWait and MaxWait bound the pause before a retry: it doubles from the one to the other, and half
	// of it is random. The SDK's RetryWaitMin and RetryWaitMax, 5 s and 60 s in its README; it has no jitter.
	MinWait, MaxWait time.Duration
	// No429 returns a 429 as an error of the kind ErrThrottled, instead of sending the request again when the
	// limiter allows; the limiter is told of it in any case. The SDK retries a 429 whose Retry-After is
	// missing or at most 180 s, and returns others.
	No429 bool
	// No5xx returns an answer 5xx to a read instead of retrying it; a timeout or a broken connection is
	// retried all the same. The SDK retries every 5xx but 501.
	No5xx bool
}

// DefaultRetry is five retries, 1 s to 30 s apart.
func DefaultRetry() Retry { return Retry{Max: 5, MinWait: time.Second, MaxWait: 30 * time.Second} }

func (o Options) withDefaults() Options {
	retry := DefaultRetry()
	if o.Retry != nil {
		retry.Max, retry.No429, retry.No5xx = max(o.Retry.Max, 0), o.Retry.No429, o.Retry.No5xx
		retry.MinWait = cmp.Or(max(o.Retry.MinWait, 0), retry.MinWait)
		retry.MaxWait = max(cmp.Or(max(o.Retry.MaxWait, 0), retry.MaxWait), retry.MinWait)
	}
	o.Retry = &retry
	o.Tokens = max(o.Tokens, 1)
	o.Timeout = cmp.Or(max(o.Timeout, 0), 30*time.Second)
	o.PageSize = cmp.Or(max(o.PageSize, 0), 500)
	o.MaxConns = cmp.Or(max(o.MaxConns, 0), 10) * o.Tokens
	o.Version = cmp.Or(o.Version, "dev")
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) userAgent() string { return "usersyncd/" + o.Version }

// New checks the options and returns a client. It sends nothing. In read-only mode every POST is refused but those of the
// operations given that only ask.
func New(o Options, asking ...*Operation) (*Client, error) {
	o = o.withDefaults()
	switch {
	case o.ClientID == "" || o.ClientSecret == "":
		return nil, errors.New("no credentials: an OAuth client's id and secret are needed (grant type client credentials)")
	case o.Limiter == nil:
		return nil, errors.New("no limiter given")
	}
	api, err := parseBase(o.API)
	if err != nil {
		return nil, fmt.Errorf("api url: %w", err)
	}
	issuer := loginFor(api)
	if o.Login != "" {
		if issuer, err = parseBase(o.Login); err != nil {
			return nil, fmt.Errorf("login url: %w", err)
		}
	}
	transport := o.Transport
	var own *http.Transport
	if transport == nil {
		own = newTransport(o)
		transport = own
	}
	tokenURL := issuer.String() + tokenPath
	if o.ReadOnly {
		guard := readOnly{next: transport, posts: map[string]bool{tokenURL: true}}
		for _, op := range asking {
			guard.posts[api.String()+root+op.Path] = op.Asks
		}
		transport = guard
	}
	var mu sync.Mutex
	jitter := func(d time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return d/2 + time.Duration(o.Rand.Int64N(int64(d/2)+1))
	}
	c := &Client{options: o, base: api.String(), http: newHTTPClient(transport), own: own, jitter: jitter, silence: silence{log: o.Logger}}
	c.login = &login{
		config:  clientcredentials.Config{ClientID: o.ClientID, ClientSecret: string(o.ClientSecret), TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInHeader},
		options: o, http: newHTTPClient(basicAuth{transport, o}), jitter: jitter, count: &c.count, silence: &c.silence, turn: semaphore.NewWeighted(1),
	}
	for n := range o.Tokens {
		c.slots = append(c.slots, &tokenSlot{login: c.login, number: n})
	}
	return c, nil
}
