package state

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// ErrPlanID is returned for a release of something that cannot be the id of a plan.
var ErrPlanID = errors.New("is not the id of a plan, such as p-1f3ac24e")

var planID = regexp.MustCompile(`^p-[0-9a-f]{1,64}$`)

// CheckPlanID returns ErrPlanID for what cannot be the id of a plan.
func CheckPlanID(plan string) error {
	if !planID.MatchString(plan) {
		return fmt.Errorf("%q %w", plan, ErrPlanID)
	}
	return nil
}

// putReleases adds ids to those of which a person asks the next pass to release what is held under them, and takes out
// those that were answered.
func putReleases(tx *bolt.Tx, asked, answered []string) error {
	if len(asked)+len(answered) == 0 {
		return nil
	}
	ids := releases(tx)
	before := len(ids)
	ids = slices.DeleteFunc(append(ids, asked...), func(id string) bool { return slices.Contains(answered, id) && !slices.Contains(asked, id) })
	slices.Sort(ids)
	switch ids = slices.Compact(ids); {
	case len(ids) > 0:
		return putMeta(tx, keyReleases, ids)
	case before > 0:
		return deleteRecord(tx, bucketMeta, keyReleases)
	}
	return nil
}

func releases(tx *bolt.Tx) (ids []string) {
	getMeta(tx, keyReleases, &ids)
	return ids
}
