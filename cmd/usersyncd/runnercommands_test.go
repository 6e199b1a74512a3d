package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"usersyncd/sync/genesys/sim"
)

// hostile are texts that somebody puts into a spec, a file name or the organization to have a CI runner or a terminal obey.
var hostile = []string{
	"##[error]pwned", "a ##vso[task.setvariable variable=x]y", "::error title=x::pwned", " ::add-mask::e", "::stop-commands::x", "%0A::error::x",
	"a\n::error::b", "a\r\n::error::b", "a\r::error::b", "\x1b[31mred", "\x1b]0;title\x07", "\u009b31m", "a\u202eb\u2066", "a\u2028::error::b", "\x00", "a\u0085::error::b",
	"```\n</details>", "`````", "|a|b| <script>&amp;\"'", "-->", "]]><x y=\"1\">", "@team #12 ![](x) \\", "###[a] ##", "%25,a=b:c",
}

// obeyed finds what a runner takes as a command; see package stream.
var obeyed = regexp.MustCompile(`(?i)(^|[\r\n\x{85}\x{2028}])\s*::|##\[|##vso\[`)

// hostileSpecs gives users of an organization hostile titles, and declares them with others, and once more with problems.
func hostileSpecs(t *testing.T, server *sim.Server, dir string) (specs, wrong string) {
	t.Helper()
	specs, wrong = filepath.Join(dir, "::set-env name=a::specs"), filepath.Join(dir, "wrong")
	users := server.Users()
	for i, h := range hostile {
		u := users[i]
		server.Define(sim.Skill, h)
		server.Edit(u.Email, func(u *sim.User) { u.Title, u.Department = h, "x"+h })
		visible := strings.Map(func(r rune) rune { // as a spec may have it
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, h)
		name := strings.NewReplacer("\x00", "", "/", "_")
		title, _ := json.Marshal(visible + "!")
		write(t, filepath.Join(specs, fmt.Sprint(name.Replace(visible), i, ".yaml")), fmt.Sprintf("email: %s\nname: %q\ntitle: %s\nprofileSkills: [%[3]s]\n", u.Email, u.Name, title))
		file := name.Replace(h)
		write(t, filepath.Join(wrong, file+".yaml"), fmt.Sprintf("email: %s\nname: %q\ntitle: %q\nmanager: %s\n%s: 1\nskills: {%s: 9}\n", title, u.Name, h, title, title, title))
		write(t, filepath.Join(wrong, file, file+".yaml.txt"), "")
	}
	return specs, wrong
}

// Nothing that is written by others becomes a command to a CI runner, or a control sequence of a terminal: not in the text,
// the JSON or the log of any command, whether they stand in specs, in names of files, in arguments or in the organization.
func TestNothingWrittenByOthersIsACommand(t *testing.T) {
	server := sim.New(sim.Options{Users: len(hostile) + 2, Seed: 3, IndexLag: -1})
	loopback := httptest.NewServer(server)
	t.Cleanup(loopback.Close)
	dir := t.TempDir()
	specs, wrong := hostileSpecs(t, server, dir)
	users := server.Users()
	env := map[string]string{"USERSYNCD_API_URL": loopback.URL, "GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo",
		"USERSYNCD_STATE": filepath.Join(dir, "state.db"), "USERSYNCD_RETRY_MIN_WAIT": "10ms", "HOME": dir}
	escaped := 0 // outputs in which something had to be
	for _, args := range [][]string{
		{"validate", wrong}, {"validate", specs}, {"plan", wrong}, {"plan", specs}, {"explain", users[2].Email, specs}, {"doctor", specs},
		{"--once", wrong}, {"--once", "--log-level", "debug", specs}, {"--once", "--log-format", "json", specs}, {"--once", specs},
		{"history"}, {"status"}, {"explain", users[0].Email, specs}, {"explain", "##[error]@x"}, {"rollback", users[0].Email},
		{"export", filepath.Join(dir, "export")}, {"release", "::error::x"}, {"##[error]"}, {"plan", "--only", "::error::x", specs},
		{"plan", "--::error::", specs}, {"plan", "--config", "::error::x", specs}, {"sync"}, {"validate", "--nonsense=##[x]"},
	} {
		for _, format := range []string{"text", "json"} {
			if strings.Contains(strings.Join(args, " "), "--once") {
				for i, h := range hostile { // the organization fails with what somebody wrote, and has it again
					server.Edit(users[i].Email, func(u *sim.User) { u.Title, u.Department = h, h })
				}
			}
			var stdout, stderr bytes.Buffer
			run(append(args, "--output", format), process{stdout: &stdout, stderr: &stderr,
				lookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
			for stream, out := range map[string]string{"stdout": stdout.String(), "stderr": stderr.String()} {
				if found := obeyed.FindString(out); found != "" {
					t.Errorf("%q, %s: %s has the command %q:\n%s", args, format, stream, found, out)
				}
				if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("%q, %s: %s is not printable at %d: %q", args, format, stream, i, out[max(0, i-60):min(len(out), i+60)])
				}
				if strings.Contains(out, `\x`) || strings.Contains(out, `\u0023`) {
					escaped++
				}
			}
			if format == "json" && stdout.Len() > 0 && !json.Valid(stdout.Bytes()) {
				t.Errorf("%q: not JSON:\n%s", args, stdout.String())
			}
		}
	}
	if escaped < 20 {
		t.Errorf("only %d outputs had anything to escape; the test says little", escaped)
	}
}
