package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for raw, want := range map[string]Format{
		"https://hooks.slack.com/services/T0SECRET/B0": Slack,
		"https://HOOKS.slack.com./x":                   Generic,
		"https://prod-12.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?sig=s": Teams,
		"https://abc.0a.environment.api.powerplatform.com:443/powerautomate/x?sig=s":                    Teams,
		"https://contoso.webhook.office.com/webhookb2/x":                                                Teams,
		"https://evil-hooks.slack.com/x":                                                                Generic,
		"https://hooks.slack.com.example.com/x":                                                         Generic,
		" https://user:pass@alerts.example.com/x\n":                                                     Generic,
		"http://127.0.0.1:99/x":                                                                         Generic,
		"http://[::1]:99/x":                                                                             Generic,
		"http://LocalHost/x":                                                                            Generic,
		"http://hooks.slack.com/SECRET":                                                                 "",
		"http://10.0.0.1/SECRET":                                                                        "",
		"https:///SECRET":                                                                               "",
		"https:SECRET":                                                                                  "",
		"hooks.slack.com/SECRET":                                                                        "",
		"ftp://hooks.slack.com/SECRET":                                                                  "",
		"https://x.org/SECRET\nhttps://y.org/":                                                          "",
		"https://x.org:SECRET/":                                                                         "",
		"":                                                                                              "",
	} {
		target, err := ParseTarget(raw)
		switch {
		case (err == nil) != (want != ""):
			t.Errorf("%q: %v", raw, err)
		case err != nil && strings.Contains(err.Error(), "SECRET"):
			t.Errorf("%q: the error quotes it: %v", raw, err)
		case err == nil && target.Guess() != want:
			t.Errorf("%q: %s, not %s", raw, target.Guess(), want)
		}
	}
}

func TestTargetShowsItsHostAlone(t *testing.T) {
	target, err := ParseTarget("https://user:passSECRET@hooks.slack.com/services/T0SECRET?sig=SECRET#SECRET")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"target": target})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("printed", "target", target)
	}
	if strings.Count(log.String(), "hooks.slack.com") != 2 {
		t.Error(log.String())
	}
	for _, s := range []string{fmt.Sprint(target), fmt.Sprintf("%v %+v %#v %q %s %d", target, target, target, target, target, target),
		fmt.Sprintf("%+v", Options{Target: target}), slog.AnyValue(target).String(), log.String(), string(data)} {
		if strings.Contains(s, "SECRET") || !strings.Contains(s, "hooks.slack.com") {
			t.Errorf("%q", s)
		}
	}
}

// A receiver that repeats what it is sent gets nothing of the URL into an error.
func TestErrorsDoNotHoldTheURL(t *testing.T) {
	const path = "/services/T0SECRET%2Fa/B0SECRET"
	for name, handler := range map[string]http.HandlerFunc{
		"text": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, r.RequestURI)
		},
		"word": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, r.URL.Query().Get("sig"))
		},
		"code": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error": {"code": %q}}`, r.URL.Query().Get("sig"))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.RequestURI+"&again=1", http.StatusTemporaryRedirect)
		},
		"garbage": func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(conn, "%s\r\n\r\n", r.RequestURI)
			_ = conn.Close()
		},
		"no TLS": nil, "nobody": nil,
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			base := server.URL
			switch name {
			case "no TLS":
				base = strings.Replace(base, "http:", "https:", 1)
			case "nobody":
				server.Close()
			}
			target, err := ParseTarget(base + path + "?api=v1&sig=S1GNATURE")
			if err != nil {
				t.Fatal(err)
			}
			n, err := New(Options{Target: target})
			if err != nil {
				t.Fatal(err)
			}
			r, err := n.Test(context.Background())
			if err == nil || r.Delivered || r.Fix == "" {
				t.Fatalf("%+v, %v", r, err)
			}
			if s := fmt.Sprintf("%+v %v %#v", r, err, err); strings.Contains(s, "SECRET") || strings.Contains(s, "S1GNATURE") {
				t.Error(s)
			}
		})
	}
}

// A certificate that nobody vouches for is not trusted, and asking again does not help.
func TestCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	target, err := ParseTarget(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Options{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Test(context.Background())
	e, ok := errors.AsType[*DeliveryError](err)
	if !ok || e.retry || !strings.Contains(e.Error(), "certificate that is not trusted") {
		t.Errorf("%v", err)
	}
}

func TestOldTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	target, err := ParseTarget(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Options{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Test(context.Background()); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("%v", err)
	}
}
