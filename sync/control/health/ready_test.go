package health

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/control"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A failpoint stops whoever comes by while it is closed.
type failpoint struct {
	mu   sync.Mutex
	shut chan struct{}
}

func (f *failpoint) pass() {
	f.mu.Lock()
	shut := f.shut
	f.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

func (f *failpoint) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut = make(chan struct{})
}

func (f *failpoint) open() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shut != nil {
		close(f.shut)
		f.shut = nil
	}
}

// stopping is a directory that can be stopped where it lists and where it writes.
type stopping struct {
	usersync.Directory
	list, do failpoint
}

func (d *stopping) List(ctx context.Context, page func([]state.Observed), fields ...spec.Field) (usersync.Listing, error) {
	d.list.pass()
	return d.Directory.List(ctx, page, fields...)
}

func (d *stopping) Do(ctx context.Context, call *apply.Call) ([]state.Observed, error) {
	d.do.pass()
	return d.Directory.Do(ctx, call)
}

// pipe is a log that stands still when nobody reads it, as one that goes into a full pipe does.
type pipe struct{ full failpoint }

func (*pipe) Enabled(context.Context, slog.Level) bool    { return true }
func (p *pipe) Handle(context.Context, slog.Record) error { p.full.pass(); return nil }
func (p *pipe) WithAttrs([]slog.Attr) slog.Handler        { return p }
func (p *pipe) WithGroup(string) slog.Handler             { return p }

// A running daemon makes a pass a minute. It is a source, made of what the program's parts say.
type running struct {
	*testing.T
	sim       *sim.Server
	dir       string
	limiter   *aimd.Dispatcher
	directory *stopping
	log       *pipe
	judge     Judge
	*usersync.Reconciler
	handlers map[string]http.Handler
}

func (d *running) Status() control.Status {
	l := d.limiter.Stats()
	s := control.New(d.Reconciler.Status())
	s.Now, s.Stuck = time.Now(), d.judge.Stuck(s.Status, l, time.Now())
	s.Limiter = control.Limiter{Rate: l.Effective, Gate: l.Gate.Seconds(), Reason: string(l.Reason), InFlight: l.InFlight}
	return s
}

func (*running) Plan() []plan.Change                        { return nil }
func (*running) History(state.Query) ([]state.Event, error) { return nil, nil }

// run starts a daemon for an organization in which everybody is declared, and ends it with the test.
func run(t *testing.T, o sim.Options) *running {
	t.Helper()
	d := &running{T: t, sim: sim.New(o), dir: t.TempDir(), log: &pipe{}}
	d.limiter = aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{Rand: rand.New(rand.NewPCG(1, 2))}))
	api, err := genesys.New(api.Options{API: "https://api.example.com", ClientID: "demo", ClientSecret: "demo", Transport: d.sim.Transport(),
		Limiter: d.limiter, Rand: rand.New(rand.NewPCG(3, 4))})
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.directory = &stopping{Directory: api}
	d.Reconciler = &usersync.Reconciler{
		Specs: spec.NewLoader(d.dir), Store: store, Directory: d.directory, API: api.API(),
		Policy: plan.Policy{Create: true, Adopt: true, IgnoreQuarantine: true, DetailInterval: 24 * time.Hour},
		Retry:  apply.Retry{Max: 5, MinWait: time.Second, MaxWait: 30 * time.Second}, SearchLag: time.Minute, Workers: 10,
		Refresh: 15 * time.Minute, Log: slog.New(d.log), Rand: rand.New(rand.NewPCG(5, 6)),
	}
	d.declare("Agent")
	d.handlers = Handlers(d, always(Limits{Interval: time.Minute}))
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	loop.Go(func() {
		for ctx.Err() == nil {
			_, _ = d.Reconcile(ctx, usersync.Mode{}) // the status has the error
			beat := time.NewTicker(time.Second)
			for next := time.Now().Add(time.Minute); ctx.Err() == nil && time.Now().Before(next); {
				select {
				case <-beat.C:
					d.Beat()
				case <-ctx.Done():
				}
			}
			beat.Stop()
		}
	})
	t.Cleanup(func() {
		cancel()
		for _, point := range []*failpoint{&d.log.full, &d.directory.list, &d.directory.do} {
			point.open()
		}
		loop.Wait()
		api.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// declare has everybody's title changed.
func (d *running) declare(title string) {
	d.Helper()
	for _, u := range d.sim.Users() {
		text := fmt.Sprintf("email: %s\ntitle: %s\n", u.Email, title)
		if err := os.WriteFile(filepath.Join(d.dir, u.Email+".yaml"), []byte(text), 0o600); err != nil {
			d.Fatal(err)
		}
	}
}

// until looks every five seconds whether a probe answers with the status, and returns after what time it does
// and what it says then.
func (d *running) until(path string, status int, most time.Duration) (took time.Duration, body string) {
	d.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Second) {
		synctest.Wait()
		got, body := probe(d.T, d.handlers, path)
		if took = time.Since(began); got == status {
			return took, body
		}
		if took > most {
			d.Fatalf("%s does not turn %d within %s: %s%+v", path, status, most, body, d.Status())
		}
	}
}

// settled waits for the first pass to end well.
func (d *running) settled() {
	d.Helper()
	for range 60 {
		if synctest.Wait(); !d.Status().Success.IsZero() {
			d.until("/readyz", 200, 0)
			return
		}
		time.Sleep(time.Second)
	}
	d.Fatalf("no pass has ended well: %+v", d.Status())
}

// A loop that hangs, and one whose workers hang, turn the probes, and so does their going on again.
func TestProbesOfAStuckLoop(t *testing.T) {
	for name, tt := range map[string]struct {
		point       func(*running) *failpoint
		least, most time.Duration
		live        int
		says        string
	}{
		"the log's pipe is full":    {func(d *running) *failpoint { return &d.log.full }, time.Minute, 3 * time.Minute, 503, "stuck: the loop has taken no step for 1m"},
		"listing hangs":             {func(d *running) *failpoint { return &d.directory.list }, 5 * time.Minute, 23 * time.Minute, 503, "stuck: no request was sent or answered for 5m"},
		"every worker's call hangs": {func(d *running) *failpoint { return &d.directory.do }, 3 * time.Minute, 5 * time.Minute, 200, "the pass has made no progress for 3m"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := run(t, sim.Options{Users: 40})
				d.settled()
				point := tt.point(d)
				point.close()
				d.declare("Lead")
				took, body := d.until("/readyz", 503, tt.most)
				if took < tt.least || !strings.Contains(body, tt.says) {
					t.Errorf("after %s, wanted after %s: %s", took, tt.least, body)
				}
				if live, body := probe(t, d.handlers, "/livez"); live != tt.live {
					t.Errorf("/livez answers %d: %s", live, body)
				}
				point.open()
				d.until("/readyz", 200, time.Minute)
				d.until("/livez", 200, 0)
			})
		})
	}
}

// A pass of 3,000 users takes ten minutes at 300 calls a minute, and a pause of nine that the API asks for in the
// middle: it is ready all along, from the first user who came through.
func TestALongPassIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := run(t, sim.Options{Users: 3000})
		if status, body := probe(t, d.handlers, "/readyz"); status != 503 || !strings.HasPrefix(body, "starting: ") {
			t.Errorf("at the start: %d: %s", status, body)
		}
		d.until("/readyz", 200, time.Minute)
		began, paused, told := time.Now(), false, false
		for d.Status().Success.IsZero() {
			status, body := probe(t, d.handlers, "/readyz")
			if status != 200 {
				t.Fatalf("%s after the first user: %d: %s", time.Since(began), status, body)
			}
			if !paused && time.Since(began) > 4*time.Minute {
				paused = true
				d.fault("PATCH 429 retry-after=540 x1")
			}
			_, all := probe(t, d.handlers, "/readyz?verbose")
			told = told || strings.Contains(all, "[+]pass ok: applying, ") && strings.Contains(all, "as the API asked")
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
		if took := time.Since(began); took < 17*time.Minute || !told {
			t.Errorf("the pass took %s, and it was told that it waits: %v", took, told)
		}
	})
}

// While the API is down nothing is restarted for it; readiness goes, however often a pass is tried, and comes back.
func TestAnOutageIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := run(t, sim.Options{Users: 40})
		d.settled()
		d.fault("* 503")
		d.declare("Lead")
		took, body := d.until("/readyz", 503, 5*time.Minute)
		if took < 2*time.Minute {
			t.Errorf("after %s: %s", took, body)
		}
		for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(5 * time.Second) {
			if status, body := probe(t, d.handlers, "/readyz"); status != 503 {
				t.Fatalf("%s later it is ready: %s", time.Since(began), body)
			}
			if status, body := probe(t, d.handlers, "/livez"); status != 200 {
				t.Fatalf("%s later it is not live: %s", time.Since(began), body)
			}
		}
		d.sim.ClearFaults()
		d.until("/readyz", 200, 10*time.Minute)
	})
}

func (d *running) fault(words string) {
	d.Helper()
	f, err := sim.ParseFault(words)
	if err != nil {
		d.Fatal(err)
	}
	d.sim.AddFault(f)
}
