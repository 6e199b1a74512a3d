package health

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

const examples = "../../../examples/"

// ours finds the names of our metrics in an expression.
var ours = regexp.MustCompile(`\b(usersyncd|process|go)_[a-z0-9_]+`)

// exists checks that an expression is about metrics that there are, with labels and values that there are.
func exists(t *testing.T, where, expr string) {
	t.Helper()
	text := scrape(t, fixed(healthy(time.Now())))
	for _, name := range ours.FindAllString(expr, -1) {
		if !strings.Contains(text, "\n# TYPE "+name+" ") {
			t.Errorf("%s: there is no metric %s", where, name)
		}
		if of := strings.HasSuffix(name, "_total"); of != strings.Contains(text, "\n# TYPE "+name+" counter\n") {
			t.Errorf("%s: %s is no counter, or one that is not called so", where, name)
		} else if of && !regexp.MustCompile(`(rate|increase)\(`+name).MatchString(expr) {
			t.Errorf("%s: a counter such as %s says something by its increase alone", where, name)
		}
	}
	for _, matcher := range regexp.MustCompile(`\b(state|guard|kind|result|phase|reason)!?="[^"]*"`).FindAllString(expr, -1) {
		if !strings.Contains(text, strings.Replace(matcher, "!=", "=", 1)) {
			t.Errorf("%s: nothing has %s", where, matcher)
		}
	}
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
		t.Errorf("%s: brackets are not closed: %s", where, expr)
	}
}

// readYAML takes a file in, and refuses keys that Prometheus does not know.
func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(examples + name)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestAlertsAreAboutMetricsThatExist(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr         string
				For                 string
				Labels, Annotations map[string]string
			}
		}
	}
	readYAML(t, "prometheus/alerts.yml", &file)
	var names []string
	command := regexp.MustCompile(`'(usersyncd (status|doctor|release|resume|explain|validate)|systemctl )`)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			names = append(names, r.Alert)
			exists(t, r.Alert, r.Expr)
			if d, err := time.ParseDuration(r.For); err != nil || d <= 0 {
				t.Errorf("%s: for is %q", r.Alert, r.For)
			}
			if s := r.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s: the severity is %q", r.Alert, s)
			}
			if r.Annotations["summary"] == "" {
				t.Errorf("%s has no summary", r.Alert)
			}
			if !command.MatchString(r.Annotations["runbook"]) {
				t.Errorf("%s: the runbook names no command: %q", r.Alert, r.Annotations["runbook"])
			}
		}
	}
	if slices.Sort(names); len(names) < 10 || len(slices.Compact(names)) != len(names) {
		t.Errorf("alerts %q", names)
	}
}

func TestScrapeConfigurationParses(t *testing.T) {
	var file struct {
		Configs []struct {
			Name     string `yaml:"job_name"`
			Interval string `yaml:"scrape_interval"`
			Static   []struct {
				Targets []string
				Labels  map[string]string
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus/scrape.yml", &file)
	if len(file.Configs) != 1 || file.Configs[0].Name != "usersyncd" || len(file.Configs[0].Static) != 1 {
		t.Errorf("%+v: the alerts are about the job usersyncd", file)
	}
}

func TestDashboardIsAboutMetricsThatExist(t *testing.T) {
	data, err := os.ReadFile(examples + "grafana/usersyncd.json")
	if err != nil {
		t.Fatal(err)
	}
	type source struct{ UID string }
	var board struct {
		SchemaVersion int
		Templating    struct{ List []struct{ Name, Type string } }
		Panels        []struct {
			ID         int
			Title      string
			Datasource source
			GridPos    struct{ X, Y, W, H int }
			Targets    []struct {
				Expr       string
				Datasource source
			}
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	if board.SchemaVersion < 39 || len(board.Templating.List) == 0 || board.Templating.List[0].Type != "datasource" {
		t.Errorf("schema %d, variables %v", board.SchemaVersion, board.Templating.List)
	}
	shown, ids, cells := "", map[int]bool{}, map[[2]int]string{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %q: id %d, datasource %q, %d targets", p.Title, p.ID, p.Datasource.UID, len(p.Targets))
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			exists(t, p.Title, target.Expr)
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("panel %q: a target's datasource is %q", p.Title, target.Datasource.UID)
			}
			shown += target.Expr + "\n"
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q, or outside", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
	for _, name := range []string{"usersyncd_users", "usersyncd_revision_info", "usersyncd_in_step", "usersyncd_limiter_requests_per_second",
		"usersyncd_limiter_quota_left_requests", "usersyncd_limiter_throttled_total", "usersyncd_calls_total", "usersyncd_pass_seconds_total", "usersyncd_last_success_timestamp_seconds"} {
		if !strings.Contains(shown, name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// The metrics that the README lists exist.
func TestReadmeMetricsExist(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(data), "\n## Metrics and health\n")
	if !ok {
		t.Fatal("the README has no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	text, names := scrape(t, fixed(healthy(time.Now()))), regexp.MustCompile("usersyncd_[a-z0-9_]+").FindAllString(section, -1)
	for _, name := range names {
		if !strings.Contains(text, "\n# TYPE "+name+" ") {
			t.Errorf("the README lists %s, which is no metric", name)
		}
	}
	if len(names) < 10 {
		t.Errorf("the README lists %d metrics", len(names))
	}
}
