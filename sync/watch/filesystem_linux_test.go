package watch

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The kernel takes watches on proc and never reports anything: such a tree is polled.
func TestPollsWhereNothingIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New("/proc/sys/fs", Options{})
		w.open = (&fakeKernel{}).open
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		<-w.Changes()
		if s := w.State(); s.Mode != Polling || s.Dirs == 0 || !strings.Contains(s.Reason, "/proc/sys/fs is on a file system (proc) that does not report every change") {
			t.Errorf("state %+v", s)
		}
		began := time.Now()
		<-w.Changes()
		if waited := time.Since(began); waited != 15*time.Second {
			t.Errorf("the next look came after %v", waited)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if name := SilentFileSystem(t.TempDir()); name != "" {
		t.Errorf("an ordinary folder is on %s", name)
	}
}
