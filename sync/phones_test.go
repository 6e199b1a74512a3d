package sync_test

import (
	"testing"
	"testing/synctest"

	"usersyncd/sync/genesys/sim"
)

// However a number is declared and whatever shape the API shows it in, it is written once, and a further
// plan is empty.
func TestPhonesSettle(t *testing.T) {
	for name, phones := range map[string]string{
		"a number":                  `[{number: "+34600000001"}]`,
		"an extension of a pool":    `[{extension: "4021"}]`,
		"an extension of none":      `[{extension: "9021"}]`,
		"a number and an extension": `[{number: "+34600000001", extension: "4021"}]`,
		"with an extension of none": `[{number: "+34600000001", extension: "9021"}]`,
		"several types and media": `[{type: work, number: "+34600000001"}, {type: work2, extension: "4022"}, {type: mobile, number: "+34600000002"},
			{type: mobile, media: sms, number: "+34600000002"}, {type: home, number: "+34600000003", extension: "4023"}, {type: other, extension: "9024"}]`,
		"none": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 5}) // who have each shape, and none
				w.declareAll("phones: " + phones)
				w.write("new.yaml", "email: new@example.com\nname: New\nphones: %s\n", phones)
				if res := w.pass(); res.Failed > 0 {
					t.Errorf("failed:\n%s", show(res))
				}
				w.settled()
			})
		})
	}
}
