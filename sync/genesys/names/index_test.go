package names_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/growth"
	"usersyncd/sync/genesys/names"
)

// Each unknown name is compared with all known ones to suggest one, so that is done for the first of them alone.
func TestUnknownNames(t *testing.T) {
	index := func(n int) *names.Index {
		all := make([]names.Entity, n)
		for i := range all {
			all[i] = names.Entity{ID: fmt.Sprint(i), Name: fmt.Sprintf("Skill %d", i)}
		}
		return names.NewIndex(spec.KindSkill, "skills", all, time.Time{})
	}
	if _, wrong := index(10).Find("Skil 7"); !strings.Contains(wrong, `did you mean "Skill 7"?`) {
		t.Error(wrong)
	}
	if _, wrong := index(10).Find("SKILL 7"); !strings.Contains(wrong, `did you mean "Skill 7"?`) {
		t.Error(wrong)
	}
	growth.Check(t, 300, func(n int) func() {
		x := index(n)
		return func() {
			for i := range n {
				if id, wrong := x.Find(fmt.Sprintf("Unknown %d", i)); id != "" || wrong == "" {
					t.Errorf("found %s", id)
				}
			}
		}
	})
}
