package main

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
	"usersyncd/sync/genesys/sim"
)

// The benchmarks of this file wait for real quotas, so that one run of each is enough:
//
//	go test -run '^$' -bench 'Loopback|TwoProcesses' -benchtime 1x ./sync/aimd/internal/bench

const (
	loopbackLatency = 30 * time.Millisecond
	loopbackLimit   = 300 // calls a window
	newTitle        = "Agent of the month"
)

// BenchmarkLoopback runs the whole program, as a process, against a simulated organization in which
// every user differs by one field. It fails on any 429, if anybody is lost, and beyond the targets.
//
//	s/run           from the start of the process to its end
//	s/predicted     as many calls in virtual time, made by the same limiter
//	real/predicted  of these two
//	s/bound         the least that the quota allows; see lowerBound
func BenchmarkLoopback(b *testing.B) {
	program := buildProgram(b)
	for _, bb := range []struct {
		name          string
		users, tokens int
		window        time.Duration
		within        float64 // how far real/predicted may be from 1; 0: any
		longest       time.Duration
	}{
		{"1000_users/window_10s", 1000, 1, 10 * time.Second, 0.05, time.Minute},
		{"500_users/window_60s", 500, 1, time.Minute, 0, 64 * time.Second},
		{"500_users/window_60s/10_tokens", 500, 10, time.Minute, 0, 6 * time.Second},
	} {
		b.Run(bb.name, func(b *testing.B) {
			sum := metrics{}
			for b.Loop() {
				o := newOrganization(b, bb.users, sim.Quota{Limit: loopbackLimit, Window: bb.window})
				tree := o.declareAll(b, 1)[0]
				took, err := o.once(b.Context(), program, tree, "--tokens", strconv.Itoa(bb.tokens))
				if err != nil {
					b.Fatal(err)
				}
				o.check(b)
				l := o.Ledger()
				calls := asked(l)
				predicted := predict(b, calls, bb.tokens, bb.window)
				ratio := took.Seconds() / predicted.Seconds()
				most := (calls + bb.tokens - 1) / bb.tokens // of the calls of a token
				sum.add("s/run", took.Seconds())
				sum.add("s/predicted", predicted.Seconds())
				sum.add("real/predicted", ratio)
				sum.add("s/bound", lowerBound(most, loopbackLimit, bb.window, loopbackLatency, aimd.DefaultMaxInFlight).Seconds())
				sum.add("calls", float64(calls))
				sum.add("429s", float64(l.Throttled))
				sum.add("tokens", float64(l.Tokens))
				if l.Throttled > 0 || took > bb.longest || bb.within > 0 && math.Abs(ratio-1) > bb.within {
					b.Errorf("it took %v with %d answers 429; %v was predicted, and the longest is %v", took, l.Throttled, predicted, bb.longest)
				}
			}
			sum.report(b)
		})
	}
}

// BenchmarkTwoProcesses runs two programs, each with a state file and half of the users of its own,
// against one quota that is the client's. The second begins three seconds after the first. It fails if
// anybody is lost, and if one is much faster than the other.
//
//	s/run        until both have ended
//	jain         of the users/s of each: 1 is equal speed, 0.5 is all for one
//	429-%        of all calls
//	time/bound   s/run to the least that the quota allows; see lowerBound
//	predicted-*  the same in virtual time
func BenchmarkTwoProcesses(b *testing.B) {
	const (
		users  = 1200
		window = 10 * time.Second
		behind = 3 * time.Second
		fair   = 0.98
	)
	program := buildProgram(b)
	sum := metrics{}
	for b.Loop() {
		o := newOrganization(b, users, sim.Quota{Limit: loopbackLimit, Window: window, PerClient: true})
		var took [2]time.Duration
		var errs [2]error
		var wg sync.WaitGroup
		began := time.Now()
		for i, tree := range o.declareAll(b, len(took)) {
			wg.Go(func() {
				<-time.After(time.Duration(i) * behind)
				took[i], errs[i] = o.once(b.Context(), program, tree)
			})
		}
		wg.Wait()
		whole := time.Since(began)
		for _, err := range errs {
			if err != nil {
				b.Fatal(err)
			}
		}
		o.check(b)
		l := o.Ledger()
		accepted := asked(l) - l.Throttled
		bound := lowerBound(accepted, loopbackLimit, window, loopbackLatency, len(took)*aimd.DefaultMaxInFlight)
		first, second := users/2/took[0].Seconds(), users/2/took[1].Seconds()
		jain := lab.Jain(first, second)
		sum.add("s/run", whole.Seconds())
		sum.add("users/s-first", first)
		sum.add("users/s-second", second)
		sum.add("jain", jain)
		sum.add("429-%", 100*float64(l.Throttled)/float64(asked(l)))
		sum.add("time/bound", whole.Seconds()/bound.Seconds())
		predicted, predictedJain := predictPair(b, accepted/len(took), window, behind)
		sum.add("predicted-s", predicted.Seconds())
		sum.add("predicted-jain", predictedJain)
		if jain < fair {
			b.Errorf("Jain %.4f: the first took %v, the second %v", jain, took[0], took[1])
		}
	}
	sum.report(b)
}

// buildProgram compiles usersyncd.
func buildProgram(b *testing.B) string {
	program := filepath.Join(b.TempDir(), "usersyncd")
	if out, err := exec.Command("go", "build", "-o", program, "usersyncd/cmd/usersyncd").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// lowerBound is the least time that n calls can take: all windows but the last are waited for, and
// the rest is sent as fast as the connections allow.
func lowerBound(n, limit int, window, latency time.Duration, workers int) time.Duration {
	whole := (n - 1) / limit
	return time.Duration(whole)*window + time.Duration(n-whole*limit)*latency/time.Duration(workers)
}

// metrics are sums of figures over the runs of a benchmark.
type metrics map[string]float64

func (m metrics) add(unit string, v float64) { m[unit] += v }

func (m metrics) report(b *testing.B) {
	for unit, v := range m {
		b.ReportMetric(v/float64(b.N), unit)
	}
	b.ReportMetric(0, "ns/op") // says nothing that s/run does not
}

// organization is a simulated one on loopback.
type organization struct {
	*sim.Server
	url, dir string
}

func newOrganization(b *testing.B, users int, quota sim.Quota) *organization {
	server := sim.New(sim.Options{Users: users, Quota: quota, Latency: loopbackLatency})
	loopback := httptest.NewServer(server)
	b.Cleanup(loopback.Close)
	return &organization{server, loopback.URL, b.TempDir()}
}

// declareAll declares a new title for everybody, in several trees with an equal share of the users each.
func (o *organization) declareAll(b *testing.B, trees int) []string {
	dirs := make([]string, trees)
	for i := range dirs {
		dirs[i] = filepath.Join(o.dir, fmt.Sprint("tree", i))
		if err := os.Mkdir(dirs[i], 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for i, u := range o.Users() {
		text := fmt.Sprintf("email: %s\ntitle: %s\n", u.Email, newTitle)
		if err := os.WriteFile(filepath.Join(dirs[i%trees], fmt.Sprint("user", i, ".yaml")), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dirs
}

// once runs the program over a tree, with a state file beside it.
func (o *organization) once(ctx context.Context, program, tree string, flags ...string) (took time.Duration, err error) {
	cmd := exec.CommandContext(ctx, program, append(flags, "--once", "--log-level", "warn", tree)...)
	cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+o.url, "USERSYNCD_STATE="+tree+".db",
		"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}
	return time.Since(began), nil
}

// check fails if anybody is not as declared, or was written more than once.
func (o *organization) check(b *testing.B) {
	for _, u := range o.Users() {
		if u.Title != newTitle || u.Writes != 1 {
			b.Errorf("%s is %q and was written %d times", u.Email, u.Title, u.Writes)
		}
	}
}

// asked counts the calls that a quota counts, and those that it refused.
func asked(l sim.Ledger) (n int) {
	for name := range l.Calls {
		if name != "POST /oauth/token" {
			n += l.Count(name)
		}
	}
	return n
}

// predict plays calls in virtual time, with several tokens.
func predict(b *testing.B, calls, tokens int, window time.Duration) time.Duration {
	servers := make([]lab.Server, tokens)
	for i := range servers {
		servers[i] = &lab.Fixed{Allowed: loopbackLimit, Window: window}
	}
	l := lab.New()
	c := lab.NewClient(l, calls, lab.Constant(loopbackLatency), servers...)
	lab.Limiter(aimd.Config{})(c, lab.Seeded(1))
	if l.Run(time.Hour, c.Over); !c.Over() {
		b.Fatalf("%d of %d calls are done after an hour", c.Done, calls)
	}
	return c.Took()
}

// predictPair plays two clients with so many calls each, the second of which begins later.
func predictPair(b *testing.B, calls int, window, behind time.Duration) (whole time.Duration, jain float64) {
	l, rnd := lab.New(), lab.Seeded(1)
	server := &lab.Fixed{Allowed: loopbackLimit, Window: window}
	first := lab.NewClient(l, calls, lab.Constant(loopbackLatency), server)
	second := lab.NewClient(l, calls, lab.Constant(loopbackLatency), server)
	limiter := lab.Limiter(aimd.Config{})
	limiter(first, rnd)
	l.After(behind, func() {
		second.Began = l.Now()
		limiter(second, rnd)
	})
	whole = l.Run(time.Hour, func() bool { return first.Over() && second.Over() })
	if !first.Over() || !second.Over() {
		b.Fatalf("%d and %d of %d calls are done after an hour", first.Done, second.Done, calls)
	}
	return whole, lab.Jain(1/first.Took().Seconds(), 1/second.Took().Seconds())
}
