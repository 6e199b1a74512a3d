package browsertest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"usersyncd/state"
	"usersyncd/sync/control"
)

func start(t *testing.T) (*scene, *tab) {
	t.Helper()
	t.Parallel()
	src, address := newScene(), free(t)
	serve(t, address, src)
	return src, open(t, originOf(address))
}

func TestThePageShowsWhatThereIs(t *testing.T) {
	src, b := start(t)
	b.until("the plan is there", `document.querySelectorAll("#plan > li").length === 200`)
	b.until("the history is there", `document.querySelectorAll("#history > li").length === 50`)
	text := ask[string](b, `document.body.innerText`)
	for _, want := range []string{
		"3 users are held by --max-removals until a person releases them", "would remove 3 of 52", "2 users are not in sync because the API rejected the change", "usersyncd release p-77aa0be2", "madrid/jo.yaml:4:8", "did you mean", "kim.lee@example.com", "next attempt 2026-11-24", "9f3c1d7e2ab8",
		"not up to date", "watching 12 folders", "260 changes, the first 200", "user000@example.com", `"Sales" → "Support"`, `skills: {Billing: 4, Refunds: 2.5}`, "agent000@example.com",
		"Limited by the quota, spread over the rest of its window", "of 300 requests left", "403: the OAuth client's role", "wait for a change window", "8 of 120",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if !b.asked("/assets/uplot/uPlot.iife.min.js") || !b.asked("/events") {
		t.Error("the requests of the page are not seen")
	}

	// The chart moves, and so do the numbers.
	count, picture := `chart.data[0].length`, `document.querySelector("#chart canvas").toDataURL()`
	samples, before := ask[int](b, count), ask[string](b, picture)
	b.until("the chart has two more samples", count+" >= "+ask[string](b, `String(`+count+` + 2)`))
	if now := ask[int](b, count); now <= samples || before == ask[string](b, picture) {
		t.Errorf("the chart stands still: %d samples, then %d", samples, now)
	}

	// The labels of the axes fit, also if they are long.
	ask[bool](b, `(() => { chart.replace([0, 1, 2].map((i) => ({ ...newest, at: newest.at + i, rate: 1200, sent: 900, aimd: 1500, left: 12000, allowed: 30000, throttled: 0 }))); return true; })()`)
	for axis, label := range map[string]string{"1": "1000/s", "2": "30000"} {
		room := `chart.plot.axes[` + axis + `]._size - 15 - (() => { const c = document.createElement("canvas").getContext("2d"); c.font = "12px system-ui, sans-serif"; return c.measureText("` + label + `").width; })()`
		if left := ask[float64](b, room); left < 0 || left > 30 {
			t.Errorf("axis %s: %.0f px are left beside %s", axis, left, label)
		}
	}

	// A state that changes is told once, and drawn at once.
	src.set(func(s *control.Status) { s.Error, s.CredentialsDead = "401 from the login service", true })
	b.until("the headline is the news", `document.querySelector("#hero").dataset.level === "bad" && document.querySelector("#headline").textContent.startsWith("Nothing was applied for 3 minutes: the API rejects the credentials")`)
	b.until("it is announced", `document.querySelector("#announce").textContent.includes("API rejects the credentials")`)

	b.must(chromedp.Click(chromedp.ID("more")))
	b.until("more of the history is there", `document.querySelectorAll("#history > li").length === 100`)
}

// Edits that are not committed are applied like a commit, and "usersyncd status" says so, too.
func TestUncommittedEdits(t *testing.T) {
	src, b := start(t)
	const revision = "9f3c1d7e2ab84455cc01-dirty"
	applied := `[...document.querySelectorAll("#facts > div")].find((e) => e.firstChild.textContent === "Applied")`
	src.set(func(s *control.Status) {
		s.Revision, s.Dirty, s.Applied = revision, true, &state.AppliedTree{Revision: revision, At: time.Now()}
	})
	b.until("the edits are the head", applied+`.textContent.includes("9f3c1d7e2ab8-dirty, up to date, with uncommitted edits, ")`)
	if class := ask[string](b, applied+`.className`); class != "" {
		t.Errorf("what is applied is marked as %q", class)
	}
	src.set(func(s *control.Status) { s.Revision, s.Dirty = "9f3c1d7e2ab84455cc01", false })
	b.until("the edits are taken back", applied+`.textContent.includes("9f3c1d7e2ab8-dirty, not up to date, ") && `+applied+`.className === "warn"`)
}

// A page that is opened late shows the past.
func TestThePastIsThere(t *testing.T) {
	_, b := start(t)
	b.until("some samples", `chart.data[0].length >= 3`)
	had := ask[int](b, `chart.data[0].length`)
	b.must(chromedp.Navigate(b.origin + "/"))
	b.until("the page has all of them at once", `chart.data[0].length > 0`)
	b.until("live", `newest !== null`)
	if got := ask[int](b, `chart.data[0].length`); got < had {
		t.Errorf("%d samples after loading the page again, %d before", got, had)
	}
}

func TestForeignTextIsText(t *testing.T) {
	src, b := start(t)
	elements := ask[int](b, `document.querySelectorAll("img, iframe, object, svg").length`)
	src.attack()
	b.until("the attack is shown", `document.querySelector("#plan").textContent.includes("<img src=x onerror") && document.querySelector("#history").textContent.includes("<img src=x onerror")`)
	b.until("in the status, too", `document.querySelector("#facts").textContent.includes("<img src=x") && document.querySelector("#holds").textContent.includes("<img src=x")`)
	if got := ask[int](b, `document.querySelectorAll("img, iframe, object, svg").length`); got != elements || ask[string](b, `document.title`) == "owned" {
		t.Error("foreign text became markup")
	}
	text := ask[string](b, `document.body.textContent`)
	if strings.ContainsAny(text, "\u202e\u202c\x1b") {
		t.Error("control or direction characters reach the page")
	}
	for _, want := range []string{`\u202egnp.exe\u202c`, `\x1b[31m`, `two\nlines`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not shown escaped", want)
		}
	}
	for _, width := range []int64{360, 1280} {
		b.size(width, 800)
		b.fits()
		shot(b, "hostile", width)
	}
}

func TestTheKeyboardIsEnough(t *testing.T) {
	_, b := start(t)
	b.until("the plan is there", `document.querySelectorAll("#plan > li").length > 0`)
	b.must(chromedp.Navigate(b.origin + "/"))
	b.until("the plan is there again", `document.querySelectorAll("#plan > li").length > 0`)
	visited := map[string]bool{}
	for range 20 {
		b.press(kb.Tab)
		at := ask[string](b, `document.activeElement.id || document.activeElement.className || document.activeElement.tagName`)
		visited[at] = true
		if at != "BODY" && ask[string](b, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
			t.Errorf("nobody sees that %s has the focus", at)
		}
	}
	for _, want := range []string{"skip", "filter", "plan", "history", "more"} {
		if !visited[want] {
			t.Errorf("Tab does not reach %s; it reaches %v", want, visited)
		}
	}
	ask[bool](b, `document.activeElement.blur() === undefined`)
	b.slash()
	if at := ask[string](b, `document.activeElement.id`); at != "filter" || ask[string](b, `document.querySelector("#filter").value`) != "" {
		t.Errorf("/ goes to %q", at)
	}
	b.press("USER00")
	b.until("the plan is filtered", `document.querySelector("#plan-count").textContent.startsWith("10 of 260 changes") && document.querySelectorAll("#plan > li").length === 10`)
	b.press(kb.Escape)
	b.until("the filter is gone", `document.querySelectorAll("#plan > li").length === 200`)
}

func TestTheConnectionComesBack(t *testing.T) {
	t.Parallel()
	src, address := newScene(), free(t)
	stop := serve(t, address, src)
	b := open(t, originOf(address))
	b.mu.Lock()
	b.away = true
	b.mu.Unlock()
	stop()
	b.until("the page says that it is alone", `document.querySelector("#link").textContent.includes("connection lost") && !document.querySelector("#lost").hidden && document.body.classList.contains("stale")`)
	serve(t, address, src)
	b.until("the page is live again", `document.querySelector("#link").dataset.state === "live" && document.querySelector("#lost").hidden && !document.body.classList.contains("stale")`)
}

// Dark is dark, light is light, and text can be read in both.
func TestSchemes(t *testing.T) {
	_, b := start(t)
	b.until("the plan is there", `document.querySelectorAll("#plan > li").length > 0`)
	chart := map[string]string{}
	for scheme, dark := range map[string]bool{"light": false, "dark": true} {
		b.media("prefers-color-scheme", scheme)
		b.until("the colours are "+scheme, `(getComputedStyle(document.body).backgroundColor.match(/\d+/g).reduce((a, b) => a + +b, 0) < 300) === `+map[bool]string{true: "true", false: "false"}[dark])
		chart[scheme] = ask[string](b, `String(chart.plot.series[2].stroke())`)
		if poor := ask[[]string](b, contrast); len(poor) > 0 {
			t.Errorf("%s: less contrast than 4.5: %q", scheme, poor)
		}
	}
	if chart["light"] == chart["dark"] {
		t.Errorf("the chart's colours do not follow: %v", chart)
	}
}

// contrast lists the elements with text of their own whose contrast is below WCAG's AA.
const contrast = `(() => {
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const parse = (s) => s.match(/[\d.]+/g).map(Number);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const poor = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || !e.checkVisibility() || e.closest(".skip, noscript")) continue;
    const a = light(parse(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(e.tagName + "." + e.className + " " + e.textContent.slice(0, 30) + " " + ratio.toFixed(2));
  }
  return [...poor].slice(0, 8);
})()`

func TestNothingIsInline(t *testing.T) {
	_, b := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.origin+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	html, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if inline := regexp.MustCompile(`(?i)<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:|<script(?:>|\s[^>]*>\s*[^<\s])`).FindAll(html, -1); inline != nil {
		t.Errorf("inline script or style: %q", inline)
	}
	if n := ask[int](b, `[...document.querySelectorAll("script")].filter((s) => !s.src || s.textContent).length + document.querySelectorAll("style").length`); n != 0 {
		t.Errorf("%d scripts or styles in the document", n)
	}
}

// The test itself: what it promises to fail on is seen.
func TestComplaintsAreSeen(t *testing.T) {
	all := map[string]struct{ script, want string }{
		"script error":        {`setTimeout(() => { throw new Error("boom") })`, "boom"},
		"unhandled rejection": {`Promise.reject(new Error("broken promise")) && true`, "broken promise"},
		"console":             {`console.error("oh no") === undefined`, "oh no"},
		"other server":        {`fetch("http://127.0.0.1:9/x").catch(() => 0) && true`, "CSP"},
		"image from there":    {`(new Image().src = "http://127.0.0.1:9/y.png") !== ""`, "CSP"},
		"inline script":       {`document.body.append(Object.assign(document.createElement("div"), { className: "x" })) === undefined && document.body.lastChild.setAttribute("style", "color: red") === undefined`, "CSP: style-src"},
		"markup":              {`(() => { try { document.body.innerHTML = "<b>x</b>"; } catch {} return true; })()`, "CSP"},
		"not there":           {`fetch("/assets/nothing.js").then(() => 0) && true`, "404"},
	}
	_, b := start(t)
	for name, c := range all {
		ask[[]byte](b, c.script)
		b.hears(name, c.want)
	}
	b.forget()
}

func TestShots(t *testing.T) {
	src, b := start(t)
	b.until("the chart has some samples", `chart.data[0].length >= 5 && document.querySelectorAll("#history > li").length > 0`)
	// A quarter of an hour, for the picture's sake.
	ask[bool](b, `(() => { const end = newest.at; chart.replace(Array.from({ length: 900 }, (_, i) => ({ at: end - 900 + i, aimd: 4 + (i % 180) / 40, rate: Math.min(5, 4 + (i % 180) / 40),
		sent: i % 300 < 250 ? 3 + (i * 7919 % 13) / 10 : 0, left: i < 40 ? null : 300 - (i % 60) * 4, allowed: 300, throttled: i % 180 === 179 ? 1 : 0 }))); return true; })()`)
	for _, scene := range []struct {
		name  string
		shift func(*control.Status)
	}{
		{"busy", func(*control.Status) {}},
		{"failing", func(s *control.Status) {
			one := s.Failures[0]
			s.Quarantined, s.Failures, s.Phase = 96, nil, "idle"
			for i := range 50 { // of one kind, as the API sends them
				one.Email, one.Line = fmt.Sprintf("user%02d@example.com", i), 3*i+1
				one.CorrelationID = fmt.Sprintf("3f0c5a2e-8a7e-4d0e-9a55-%012x", i)
				one.Message = fmt.Sprintf("failed 3 times, next attempt 2026-11-24T03:%02d:00Z: PATCH /api/v2/users/%s: 400 bad.request: the phone number is not E.164 (correlation id %[2]s)", i, one.CorrelationID)
				s.Failures = append(s.Failures, one)
			}
		}},
		{"held", func(s *control.Status) {
			s.Failures, s.Quarantined, s.Failed, s.Specs, s.Problems, s.Phase, s.Pending = nil, 0, 0, nil, 0, "idle", 0
		}},
		{"dead", func(s *control.Status) {
			s.Phase, s.Error, s.CredentialsDead = "idle", "401 from https://login.mypurecloud.ie: invalid_client", true
		}},
		{"calm", func(s *control.Status) {
			s.Error, s.CredentialsDead, s.Phase = "", false, "idle"
			s.InSync, s.Pending, s.Changing, s.Done, s.Held, s.Quarantined, s.Failed, s.Skipped, s.Deferred, s.Problems = 500, 0, 0, 0, 0, 0, 0, 0, 0, 0
			s.Holds, s.Failures, s.Specs, s.Applied.Revision = nil, nil, nil, s.Revision
		}},
	} {
		src.set(scene.shift)
		b.until("it is drawn", `document.querySelector("#facts").textContent.includes(`+map[string]string{"busy": `"changing users"`, "failing": `"idle"`, "held": `"idle"`, "dead": `"idle"`, "calm": `", up to date"`}[scene.name]+`) && `+
			`document.querySelector("#headline").textContent.includes("`+map[string]string{"busy": "2 users", "failing": "96 users", "held": "held", "dead": "credentials", "calm": "500"}[scene.name]+`")`)
		for _, width := range []int64{360, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				b.size(width, 900)
				b.media("prefers-color-scheme", scheme)
				b.until("the chart fits", `Math.abs(document.querySelector("#chart").clientWidth - chart.plot.width) < 2`)
				b.fits()
				if tall := ask[int](b, `document.querySelector("#failures").offsetHeight`); tall > 900 {
					b.Errorf("%s: the failures are %d px high", scene.name, tall)
				}
				shot(b, scene.name+"-"+scheme, width)
			}
		}
	}
}

// shot writes what the page looks like, the whole of it, if somebody wants to see it.
func shot(b *tab, name string, width int64) {
	b.Helper()
	dir := os.Getenv("USERSYNCD_SHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	take := chromedp.FullScreenshot(100)
	if name == "hostile" {
		take = chromedp.CaptureScreenshot() // the whole of it is very long
	}
	picture, err := chromedp.Run(b.ctx, take)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, name+"-"+map[int64]string{360: "360", 1280: "1280"}[width]+".png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		b.Fatal(err)
	}
}
