package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"usersyncd/sync/genesys/sim"
)

const marker = "mArker-s3cret_4711"

// nobodyThere refuses connections: no test gets a port below 1024.
const nobodyThere = "http://127.0.0.1:1"

// The client's secret and the access token appear in no output and in no file, whatever happens.
func TestSecretsStaySecret(t *testing.T) {
	server := sim.New(sim.Options{Users: 4, ClientID: "demo", ClientSecret: marker, IndexLag: -1})
	var token atomic.Value // the last one
	token.Store("")
	t.Cleanup(func() {
		if token.Load() == "" {
			t.Error("no token was seen; the test says little")
		}
	})
	// A login service and a gateway that repeat what they were given, which is their way to fail.
	talkative := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, secret, _ := r.BasicAuth()
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error": "invalid_client", "description": "%s %s is wrong", "message": "%[2]s %[3]s", "code": "%[3]s"}`,
			body, secret, r.Header.Get("Authorization"))
	}
	handler := func(kind string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			login := r.URL.Path == "/oauth/token"
			if auth := r.Header.Get("Authorization"); strings.HasPrefix(auth, "Bearer ") {
				token.Store(strings.TrimPrefix(auth, "Bearer "))
			}
			switch {
			case kind == "talkative login" && login, kind == "talkative gateway" && !login:
				talkative(w, r)
			case kind == "talkative patch" && r.Method == http.MethodPatch:
				talkative(w, r)
			default:
				server.ServeHTTP(w, r)
			}
		})
	}
	for _, kind := range []string{"healthy", "talkative login", "talkative gateway", "talkative patch", "nobody there"} {
		for _, mode := range []string{"plan", "--once", "doctor", "config"} {
			for _, format := range []string{"text", "json"} {
				t.Run(strings.Join([]string{kind, mode, format}, "/"), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					specs := filepath.Join(dir, "users")
					if err := writeSpecs(t.Context(), specs, server.Users()); err != nil {
						t.Fatal(err)
					}
					server.Edit(ana, func(u *sim.User) { u.Title = "Chief" })
					loopback := httptest.NewServer(handler(kind))
					defer loopback.Close()
					address := loopback.URL
					if kind == "nobody there" {
						address = nobodyThere
					}
					state := filepath.Join(dir, "state.db")
					cmd := exec.Command("usersyncd", mode, "--log-level=debug", "--log-format="+format, "--output="+format, specs)
					cmd.Dir = dir
					cmd.Env = append(os.Environ(), "HOME="+dir, "USERSYNCD_API_URL="+address, "USERSYNCD_STATE="+state,
						"USERSYNCD_RETRY_MAX=0", "USERSYNCD_RETRY_MIN_WAIT=1ms", "USERSYNCD_RETRY_MAX_WAIT=1ms",
						"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET="+marker)
					out, err := cmd.CombinedOutput()
					if troubled := mode != "config" && (kind == "talkative login" || kind == "talkative gateway" || kind == "nobody there"); kind != "talkative patch" && troubled != (err != nil) {
						t.Errorf("%v\n%s", err, out)
					}
					if data, err := os.ReadFile(state); err == nil {
						out = append(out, data...)
					}
					for _, secret := range []string{marker, base64.StdEncoding.EncodeToString([]byte("demo:" + marker)), token.Load().(string)} {
						if i := bytes.Index(out, []byte(secret)); secret != "" && i >= 0 {
							t.Errorf("%q is shown: %q", secret, out[max(0, i-200):min(len(out), i+50)])
						}
					}
				})
			}
		}
	}
}

// The URL of a webhook, which lets whoever has it post, appears in no output, whatever the receiver does.
func TestWebhookStaysSecret(t *testing.T) {
	const path = "/services/" + marker + "/x?sig=" + marker
	for kind, handler := range map[string]http.HandlerFunc{
		"healthy": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") },
		"talkative": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, r.RequestURI)
		},
		"a word": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, marker)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.RequestURI+"/", http.StatusPermanentRedirect)
		},
		"nobody there": nil,
	} {
		for _, from := range []string{"file", "variable", "credential"} {
			for _, format := range []string{"text", "json"} {
				t.Run(strings.Join([]string{kind, from, format}, "/"), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					loopback := httptest.NewServer(handler)
					defer loopback.Close()
					url, file := loopback.URL+path, filepath.Join(dir, "notify_url")
					if kind == "nobody there" {
						url = nobodyThere + path
					}
					cmd := exec.Command("usersyncd", "notify", "test", "--log-level=debug", "--log-format="+format, "--output="+format)
					cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
					if from == "variable" {
						cmd.Env = append(cmd.Env, "USERSYNCD_NOTIFY_URL="+url)
					} else if err := os.WriteFile(file, []byte(url+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					switch from {
					case "file":
						cmd.Args = append(cmd.Args, "--notify-url-file="+file)
					case "credential":
						cmd.Env = append(cmd.Env, "CREDENTIALS_DIRECTORY="+dir)
					}
					out, err := cmd.CombinedOutput()
					if (err == nil) != (kind == "healthy") || !bytes.Contains(out, []byte("127.0.0.1:")) {
						t.Errorf("%v\n%s", err, out)
					}
					if bytes.Contains(out, []byte(marker)) {
						t.Errorf("the URL is shown: %s", out)
					}
				})
			}
		}
	}
}
