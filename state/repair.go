package state

import "time"

// Repair is how often a field of a user was changed back of late: somebody else had changed it.
type Repair struct {
	At    []time.Time   `json:"at"`              // the last times, oldest first; to the second, in UTC
	Pause time.Duration `json:"pause,omitempty"` // after the last of them, in which it is left alone; 0: it is not contested
}
