package watch

import (
	"sync" // the standard library's

	"github.com/fsnotify/fsnotify"
)

// notifier is what is used of fsnotify.
type notifier struct {
	events <-chan fsnotify.Event
	errors <-chan error
	add    func(dir string) error
	close  func() // waits until nothing runs any more
}

// openNotifier starts fsnotify. Its errors are read at once whatever the caller does: fsnotify may
// report one while it holds the lock that its Add needs, so an unread error would block Add for ever.
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
			default: // one is as good as many
			}
		}
	})
	return &notifier{
		events: w.Events,
		errors: latest,
		add:    w.Add,
		close: func() {
			_ = w.Close() // closes Errors; there is nothing to do about a failure
			drain.Wait()
		},
	}, nil
}
