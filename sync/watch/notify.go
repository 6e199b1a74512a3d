package watch

import (
	"sync" // the standard library's

	"github.com/fsnotify/fsnotify"
)

// notifier is the part of fsnotify that is used.
type notifier struct {
	events <-chan fsnotify.Event
	errors <-chan error
	add    func(dir string) error
	close  func() // waits until it has stopped
}

// openNotifier starts fsnotify. Its errors are read at once: fsnotify may report one while it holds the lock that its Add
// needs, so an unread error would block Add forever.
func openNotifier() (*notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	latest := make(chan error, 1)
	var drain sync.WaitGroup
	drain.Go(func() {
		for err := range w.Errors {
			select {
			case latest <- err:
			default: // one is enough
			}
		}
	})
	return &notifier{
		events: w.Events,
		errors: latest,
		add:    w.Add,
		close: func() {
			_ = w.Close() // closes Errors
			drain.Wait()
		},
	}, nil
}
