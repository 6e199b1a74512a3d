package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// A call of the limiter: permission, sending, answer with the headers of a real response.
func BenchmarkCall(b *testing.B) {
	h := lab.Quota(7, 1<<20, 60)
	for _, key := range []string{"Content-Type", "Date", "Inin-Correlation-Id", "Cache-Control", "Strict-Transport-Security", "Vary"} {
		h[key] = []string{"x"}
	}
	c := aimd.NewController(aimd.Config{})
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		if _, ok := c.Acquire(now); !ok {
			b.Fatal(c.Stats(now))
		}
		c.OnResponse(now, c.OnSend(now), 200, h)
	}
}

// The same for one that is turned away.
func BenchmarkRefusal(b *testing.B) {
	c := aimd.NewController(aimd.Config{})
	c.Acquire(epoch)
	c.OnResponse(epoch, c.OnSend(epoch), 200, lab.Quota(7, 300, 60))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Acquire(epoch); ok {
			b.Fatal("allowed")
		}
	}
}

// The same for a pool of ten.
func BenchmarkPool(b *testing.B) {
	p := aimd.NewPool(aimd.MaxTokens, aimd.Config{})
	p.Expect(1 << 30)
	h := lab.Quota(7, 1<<20, 60)
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		ticket, _, _, ok := p.Acquire(now, aimd.Request{})
		if !ok {
			b.Fatal(p.Stats(now))
		}
		p.OnResponse(now, ticket, 200, h)
	}
}

// Refusals of a pool that has a token in reserve which it need not use.
func BenchmarkPoolRefusal(b *testing.B) {
	p := aimd.NewPool(aimd.MaxTokens, aimd.Config{Jitter: -1})
	now := epoch
	p.Expect(100_000)
	for i := range aimd.MaxTokens - 1 {
		count := 1
		if i == 0 {
			count = 300
		}
		ticket, _, _, _ := p.Acquire(now, aimd.Request{})
		p.OnResponse(now, ticket, 200, lab.Quota(count, 300, 60))
	}
	p.Expect(100)
	now = now.Add(time.Second)
	for {
		ticket, _, _, ok := p.Acquire(now, aimd.Request{})
		if !ok {
			break
		}
		p.OnResponse(now, ticket, 200, nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		if ticket, _, _, ok := p.Acquire(now, aimd.Request{}); ok {
			p.OnResponse(now, ticket, 200, nil)
			p.Expect(100)
		}
	}
}
