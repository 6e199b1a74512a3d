package spec_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/spec/specfile"
)

func TestAddressesForAChoice(t *testing.T) {
	dir := checkout(t, map[string]string{
		"madrid/ana.yaml": "# email: nobody@example.com\nemail: ana.perez@example.com # since 2024\nemails: [{type: home, address: ana@home.example}]\npreviousEmail: ana@example.com\n",
		"quoted.yml":      "email: \"luis@example.com\"\n---\nemail: 'mei@example.com'\nmanager: chief@example.com\n",
		"list.yaml":       "users:\n  - {email: ida@example.com, title: Agent}\n  - title: Lead\n    email: omar@example.com\n",
		"_defaults.yaml":  "department: Sales\n",
		"notes.txt":       "email: text@example.com\n",
		".git/x.yaml":     "email: hidden@example.com\n",
		"broken.yaml":     "email: [\nemail: kofi@example.com\n",
	})
	want := []string{"ana.perez@example.com", "ida@example.com", "kofi@example.com", "luis@example.com", "mei@example.com", "omar@example.com"}
	if diff := cmp.Diff(want, specfile.Addresses(t.Context(), dir)); diff != "" {
		t.Error(diff)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got := specfile.Addresses(over, dir); len(got) > 0 {
		t.Errorf("without time: %v", got)
	}
	if got := specfile.Addresses(t.Context(), dir+"/none"); len(got) > 0 {
		t.Errorf("without a folder: %v", got)
	}
}

// Whoever is declared as export writes it is found.
func TestAddressesAreThoseOfTheTree(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("%d/user.yaml", i)] = fmt.Sprintf("email: user%d@example.com\ntitle: Agent\n", i)
	}
	dir := checkout(t, files)
	want := keys(load(t, spec.NewLoader(dir)))
	slices.Sort(want)
	if diff := cmp.Diff(want, specfile.Addresses(t.Context(), dir)); diff != "" {
		t.Error(diff)
	}
}
