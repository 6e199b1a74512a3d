package sim

import "time"

// cached is a list that takes long to work out, kept for the pages that follow: until something changes, or
// until the past that it shows is over.
type cached[T any] struct {
	changes int
	until   time.Time // zero: it shows no past
	list    []T
}

// get returns the list if it still holds.
func (k cached[T]) get(changes int, now time.Time) (list []T, fresh bool) {
	return k.list, k.list != nil && k.changes == changes && (k.until.IsZero() || now.Before(k.until))
}

// expires says that the list shows the past until then; the zero time: it does not.
func (k *cached[T]) expires(t time.Time) {
	if !t.IsZero() && (k.until.IsZero() || t.Before(k.until)) {
		k.until = t
	}
}

// A deferred change is one that has been accepted, and is carried out later.
type deferred struct {
	due time.Time
	do  func()
}

// later puts a change off by the delay of queues. The lock is held.
func (s *Server) later(do func()) {
	if s.o.QueueDelay <= 0 {
		do()
		return
	}
	s.waiting = append(s.waiting, deferred{time.Now().Add(s.o.QueueDelay), do})
}

// runDue carries out what is due. The lock is held.
func (s *Server) runDue(now time.Time) {
	for len(s.waiting) > 0 && !now.Before(s.waiting[0].due) {
		first := s.waiting[0]
		s.waiting = s.waiting[1:]
		first.do()
	}
}
