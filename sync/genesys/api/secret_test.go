package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"usersyncd/sync/genesys/api"
)

func TestSecretShowsItselfToNobody(t *testing.T) {
	const word = "hunter2"
	s := api.Secret(word)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "options", api.Options{ClientSecret: s})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "options", api.Options{ClientSecret: s})
	marshalled, err := json.Marshal(map[string]any{"secret": s, "options": &s})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(marshalled) + s.String() + s.GoString()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s"} {
		shown += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, api.Options{ClientSecret: s})
	}
	for _, form := range []string{word, fmt.Sprintf("%x", word), fmt.Sprintf("%X", word)} {
		if strings.Contains(shown, form) {
			t.Errorf("the secret is shown as %q in %s", form, shown)
		}
	}
	if !strings.Contains(shown, "[redacted]") {
		t.Error("nothing says that something was left out")
	}
	if string(s) != word {
		t.Error("the content is gone")
	}
}
