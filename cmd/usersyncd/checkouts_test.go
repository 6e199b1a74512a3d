package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usersyncd/spec/checkout/gittest"
	"usersyncd/sync/genesys/sim"
)

// A person is a user as a branch declares it, or as the organization is believed to have it.
type person struct {
	active bool
	title  string
}

// A switcher is a repository with two branches of as many files, and a daemon over its checkout. Every file
// differs between the branches, one user in 25 in what it says, one in 50 by being on one of them alone.
type switcher struct {
	testing.TB
	sim      *sim.Server
	api      string
	dir      string
	branches map[string]map[string]person // by commit, by address

	mu    sync.Mutex
	org   map[string]person // as the daemon's log tells it
	now   []loggedChange    // of the pass that is under way
	said  []string
	first bool // the first pass is over
	plans int  // later ones, that changed something
	wrong []string
}

// loggedChange is a line about a user.
type loggedChange struct {
	Msg, User, Action, Result, Revision, Level string
	Fields                                     []string
}

func newSwitcher(t testing.TB, files int) *switcher {
	users := files + 2*((files+47)/48) // as many files on a branch, whose one in 50 is missing
	s := &switcher{TB: t, dir: t.TempDir(), branches: map[string]map[string]person{}, org: map[string]person{},
		sim: sim.New(sim.Options{Users: users, Seed: 9, IndexLag: -1, Quota: sim.Quota{Limit: 100_000_000}})}
	loopback := httptest.NewServer(s.sim)
	t.Cleanup(loopback.Close)
	s.api = loopback.URL
	s.git("init", "--quiet", "--initial-branch=main")
	s.commit("left", 0, nil)
	s.commit("right", 1, nil)
	s.git("branch", "last", "right")
	s.git("checkout", "--quiet", "last")
	s.commit("last", 1, map[int]string{7: "The last"})
	s.git("checkout", "--quiet", "left")
	first := s.branches[s.git("rev-parse", "left")]
	for _, u := range s.sim.Users() {
		// It begins as the first branch says. Who is not on it was never managed, and nobody's to deactivate.
		s.sim.Edit(u.Email, func(u *sim.User) {
			u.Title = first[u.Email].title
			if !first[u.Email].active {
				u.State = "inactive"
			}
		})
		s.org[u.Email] = first[u.Email]
	}
	return s
}

func (s *switcher) git(args ...string) string {
	s.Helper()
	return gittest.Run(s.TB, s.dir, args...)
}

// commit writes one branch's files. titles are of single users.
func (s *switcher) commit(branch string, side int, titles map[int]string) {
	s.Helper()
	if branch != "last" {
		s.git("checkout", "--quiet", "--orphan", branch)
		s.git("rm", "-r", "--quiet", "--cached", "--ignore-unmatch", ".")
	}
	declared := map[string]person{}
	for i, u := range s.sim.Users() {
		path := filepath.Join(s.dir, "team"+strconv.Itoa(i%20), u.Email+".yaml")
		if i%50 == side {
			_ = os.Remove(path) // it may never have been there
			continue
		}
		p := person{true, "Agent"}
		if i%25 == 2 {
			p.title = "Agent on the " + branch
		}
		if titles[i] != "" {
			p.title = titles[i]
		}
		declared[u.Email] = p
		text := fmt.Sprintf("# on the %d side\nemail: %s\ntitle: %s\nstate: active\n", side, u.Email, p.title)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.Fatal(err)
		}
	}
	s.git("add", "--all")
	s.git("commit", "--quiet", "--message", branch)
	s.branches[s.git("rev-parse", "HEAD")] = declared
}

// start starts the daemon, and follows its log.
func (s *switcher) start(program string, args ...string) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), program, append(args, "--log-format=json", "--on-removal=deactivate",
		"--max-removals=100%,1000000", "--max-deactivations=100%,1000000", "--max-rate=100000", "--max-in-flight=20", s.dir)...)
	cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+s.api, "USERSYNCD_STATE="+filepath.Join(s.TempDir(), "usersyncd.db"),
		"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo", "HOME="+s.TempDir())
	stderr, err := cmd.StderrPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			s.follow(lines.Text())
		}
		_, _ = io.Copy(io.Discard, stderr) // a line too long is reported by what is missing then
	}()
	s.Cleanup(func() {
		_ = cmd.Process.Kill() // it runs for ever
		<-followed
		_ = cmd.Wait()
		if s.Failed() {
			s.Log(strings.Join(s.said, "\n"))
		}
	})
}

// follow takes a line of the log. At the end of each pass that changed something the organization has to be
// as one commit says, the one that the pass says it is of.
func (s *switcher) follow(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c loggedChange
	switch err := json.Unmarshal([]byte(line), &c); {
	case err != nil:
		s.wrong = append(s.wrong, line)
	case c.User != "":
		s.now = append(s.now, c)
	case c.Msg == "pass done":
		s.passed(c.Revision)
		if s.first {
			s.plans++
		}
		s.now, s.first = nil, true
	case strings.Contains(line, "active without a role"): // nobody here has one
		s.said = append(s.said, line)
	case c.Level != "INFO":
		s.wrong = append(s.wrong, line)
	default:
		s.said = append(s.said, line)
	}
}

func (s *switcher) passed(revision string) {
	branch := s.branches[revision]
	var wrong []string
	for _, c := range s.now {
		p := s.org[c.User]
		_, declared := branch[c.User]
		switch {
		case c.Result != "applied" || declared == (c.Action == "deactivate"):
			wrong = append(wrong, fmt.Sprintf("%s %s (%s): declared there: %v", c.User, c.Action, c.Result, declared))
		case c.Action == "deactivate":
			p.active = false
		default:
			p.active = true
			for _, f := range c.Fields {
				if title, ok := strings.CutPrefix(f, "title: "); ok {
					_, after, _ := strings.Cut(title, " -> ")
					p.title, _ = strconv.Unquote(after)
				}
			}
		}
		s.org[c.User] = p
	}
	for email, has := range s.org {
		if want, declared := branch[email]; declared && has != want || !declared && has.active {
			wrong = append(wrong, fmt.Sprintf("%s is %v, not %v", email, has, want))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		s.wrong = append(s.wrong, fmt.Sprintf("plan %d of %s: %d wrong: %s", s.plans, revision, len(wrong), strings.Join(wrong[:min(len(wrong), 5)], "; ")))
	}
}

// differing counts the users who are not as a branch says.
func (s *switcher) differing(commit string) (n int) {
	for _, u := range s.sim.Users() {
		want, declared := s.branches[commit][u.Email]
		if active := u.State == "active"; active != declared || declared && u.Title != want.title {
			n++
		}
	}
	return n
}

// latencies are from the end of a checkout on.
type latencies struct {
	first, whole time.Duration // of the last checkout: until the first of its changes is in the organization, and all are
	edit         time.Duration // of one more, that changes one user
}

// run switches branches back and forth, and then to a commit that changes one user more.
func (s *switcher) run(checkouts int, pause func(i int) time.Duration) (l latencies) {
	s.Helper()
	if !eventually(func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.first }) {
		s.Fatal("the first pass did not end")
	}
	for i := range checkouts {
		s.git("checkout", "--quiet", []string{"right", "left"}[i%2])
		time.Sleep(pause(i))
	}
	s.git("checkout", "--quiet", "right")
	began, commit := time.Now(), s.git("rev-parse", "right")
	left := s.differing(commit)
	s.await("the last checkout", func() bool { now := s.differing(commit); return now < left || now == 0 })
	l.first = time.Since(began)
	s.await("all of the last checkout", func() bool { return s.differing(commit) == 0 })
	l.whole = time.Since(began)
	s.git("checkout", "--quiet", "last")
	began, commit = time.Now(), s.git("rev-parse", "last")
	s.await("one more edit", func() bool { return s.differing(commit) == 0 })
	l.edit = time.Since(began)
	s.await("the end of the last pass", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.now) == 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wrong {
		s.Errorf("%s", w)
	}
	if s.plans < 3 {
		s.Errorf("%d plans: the daemon saw nothing of the checkouts in between", s.plans)
	}
	return l
}

func (s *switcher) await(what string, happened func() bool) {
	s.Helper()
	if !eventually(happened) {
		s.Fatalf("it did not happen: %s", what)
	}
}

// While branches are switched under it, the daemon acts on whole commits alone: nobody counts as removed
// for a moment, nobody gets half of another branch, and the pass says which commit it was of.
func TestCheckouts(t *testing.T) {
	t.Parallel()
	files, checkouts := 200, 10
	if long() {
		files, checkouts = 500, 20
	}
	s := newSwitcher(t, files)
	s.start("usersyncd", "--resync-interval=20ms") // looks all the time
	chance := rand.New(rand.NewPCG(1, 2))
	l := s.run(checkouts, func(i int) time.Duration {
		if i%5 == 4 {
			return 1200 * time.Millisecond // long enough for a look, the second one, and to apply something
		}
		return time.Duration(chance.IntN(200)) * time.Millisecond
	})
	t.Logf("%d checkouts of %d files: %d plans; after the last %+v", checkouts, files, s.plans, l)
}

// BenchmarkCheckouts switches 1,000 times between two branches of 5,000 files. One daemon is as it comes and
// hears of the checkouts, the other looks all the time. It takes longer than go test allows by itself:
//
//	go test -run '^$' -bench Checkouts -benchtime 1x -timeout 2h ./cmd/usersyncd
//
// plans is how many passes changed something in between. A plan that is not entirely of the commit that it says
// it is of fails it. The rest is how long after the end of a checkout its changes are in the organization:
// s-first and s-whole of the last one, that changes 400 users, s-edit of one more, that changes one user. What
// comes first has 5 s.
func BenchmarkCheckouts(b *testing.B) {
	const checkouts, files = 1000, 5000
	program := buildProgram(b)
	for name, args := range map[string][]string{"hears": nil, "looks": {"--resync-interval=20ms"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := newSwitcher(b, files)
				s.start(program, args...)
				chance := rand.New(rand.NewPCG(1, 2))
				l := s.run(checkouts, func(i int) time.Duration {
					if i%7 == 6 { // now on one branch, now on the other
						return 1200 * time.Millisecond
					}
					return time.Duration(chance.IntN(200)) * time.Millisecond
				})
				b.Logf("%d checkouts: %d plans, %d of them wrong; %+v", checkouts, s.plans, len(s.wrong), l)
				if max(l.first, l.edit) > 5*time.Second {
					b.Errorf("changes came late: %+v", l)
				}
				b.ReportMetric(float64(s.plans), "plans")
				b.ReportMetric(float64(len(s.wrong)), "wrong")
				b.ReportMetric(l.first.Seconds(), "s-first")
				b.ReportMetric(l.whole.Seconds(), "s-whole")
				b.ReportMetric(l.edit.Seconds(), "s-edit")
			}
		})
	}
}
