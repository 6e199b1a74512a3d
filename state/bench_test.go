package state_test

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// agent is a user as contact centres have them: 15 fields, size bytes of values in all, and one
// field that was changed in Genesys since it was applied.
func agent(n, version, size int) *state.User {
	f := spec.FieldsOf(map[spec.Field]spec.Value{
		spec.Email: value("agent.number%05d@contact-centre.example.com", n), spec.Name: value("Agent Number %05d", n),
		spec.State: `"active"`, spec.Title: value("Senior agent, level %d", version),
		spec.Department: value("Support %d", n%40), spec.Division: `"EMEA"`,
		spec.Manager: value("lead.number%03d@contact-centre.example.com", n%300), spec.ACDAutoAnswer: "false",
		spec.Employer:  value("%05d", n),
		spec.Phones:    `[{"extension":"4021","media":"phone","number":"+34600000001","type":"work"}]`,
		spec.Languages: `{"English":3,"Spanish":5}`, spec.Roles: `["Employee",{"divisions":["EMEA"],"role":"Supervisor"}]`,
		spec.Queues: `["Billing ES","Refunds ES"]`, spec.Groups: `["Madrid"]`,
	})
	total := 0
	for _, v := range f.All() {
		total += len(v)
	}
	var skills []string
	for i := 0; total < size; i++ {
		s := fmt.Sprintf(`"Skill %03d of %02d":%d.5`, i, n%50, i%5)
		skills, total = append(skills, s), total+len(s)+1
	}
	f.Set(spec.Skills, spec.Value("{"+strings.Join(skills, ",")+"}"))
	applied := make(spec.Fields, 0, len(f))
	applied = applied.With(f)
	applied.Set(spec.Title, `"Agent"`)
	return &state.User{
		Observed: state.Observed{
			ID:      fmt.Sprintf("%08x-3f0c-4c8e-9d3a-%012x", n*2654435761&0xffffffff, n),
			Version: version, Fields: f,
			Opaque: json.RawMessage(`{"primaryContactInfo":[{"address":"agent@contact-centre.example.com","mediaType":"EMAIL","type":"PRIMARY"}]}`),
		},
		LastApplied: applied,
		Times:       state.Times{}.WithRead(now, []spec.Field{spec.Roles, spec.Queues}, nil).WithWritten(time.Now(), spec.Skills),
		Declared:    state.Declaration{Key: applied.Get(spec.Email).Text(), File: fmt.Sprintf("users/madrid/agent-%05d.yaml", n)},
	}
}

// filled makes a file of many users, in commits of 5,000.
func filled(b *testing.B, users, size int, edits ...func(*state.User)) string {
	path := tempFile(b)
	st := open(b, path)
	for from := 0; from < users; from += 5000 {
		some := agents(from, min(from+5000, users), 1, size)
		for _, edit := range edits {
			for _, u := range some {
				edit(u)
			}
		}
		mustCommit(b, st, state.Commit{Users: some})
	}
	mustClose(b, st)
	return path
}

func agents(from, to, version, size int) []*state.User {
	us := make([]*state.User, 0, to-from)
	for n := from; n < to; n++ {
		us = append(us, agent(n, version, size))
	}
	return us
}

func reportFile(b *testing.B, path string) {
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "file-MB")
}

// In apart everybody's queues were read at another time than the roles.
func BenchmarkSnapshot(b *testing.B) {
	together := func(*state.User) {}
	apart := func(u *state.User) {
		u.Times = u.Times.WithRead(now.Add(time.Hour), []spec.Field{spec.Queues}, []spec.Field{spec.Roles})
	}
	for _, row := range []struct {
		name string
		size int
		edit func(*state.User)
	}{{"bytes=1000", 1000, together}, {"bytes=3000", 3000, together}, {"bytes=1000/apart", 1000, apart}} {
		b.Run("users=50000/"+row.name, func(b *testing.B) {
			path := filled(b, 50_000, row.size, row.edit)
			st := open(b, path)
			b.ReportAllocs()
			before := heap()
			var snap *state.Snapshot
			for b.Loop() {
				snap = mustSnapshot(b, st)
			}
			b.ReportMetric(float64(heap()-before)/1e6, "live-MB")
			reportFile(b, path)
			if len(snap.Users) != 50_000 {
				b.Fatal(len(snap.Users))
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkOpen(b *testing.B) {
	path := filled(b, 50_000, 1000)
	for b.Loop() {
		mustClose(b, open(b, path))
	}
}

func BenchmarkMeta(b *testing.B) {
	st := open(b, filled(b, 50_000, 1000))
	for b.Loop() {
		mustMeta(b, st)
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, row := range []struct{ stored, users int }{{5_000, 1}, {50_000, 1}, {10_000, 10_000}, {50_000, 50_000}} {
		b.Run(fmt.Sprintf("stored=%d/users=%d", row.stored, row.users), func(b *testing.B) {
			path := filled(b, row.stored, 1000)
			st := open(b, path)
			batches := [][]*state.User{agents(0, row.users, 2, 1000), agents(0, row.users, 3, 1000)}
			for i := 0; b.Loop(); i++ {
				mustCommit(b, st, state.Commit{Users: batches[i%2]})
			}
			reportFile(b, path)
		})
	}
}
