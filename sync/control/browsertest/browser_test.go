package browsertest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const patience = 30 * time.Second // until something must have happened

// browserTries is how often a browser is started that does not come up.
const browserTries = 3

// watchful runs before any script of the page, and turns what the console may not show into exceptions.
const watchful = `addEventListener("securitypolicyviolation", (e) => console.error("CSP: " + e.violatedDirective + " " + e.blockedURI));
addEventListener("unhandledrejection", (e) => console.error("unhandled rejection: " + e.reason));`

// A tab is one page of a browser of its own. Everything that the browser complains about fails the test.
type tab struct {
	*testing.T
	ctx    context.Context //nolint:containedctx // how chromedp names a page of the browser
	origin string

	mu         sync.Mutex
	complaints []string
	requests   []string
	away       bool // the server is: that its own address is not reached is no complaint
}

func open(t *testing.T, origin string) *tab {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck}
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	b := &tab{T: t, origin: origin}
	for try := 1; ; try++ { // at times Chromium crashes on its way, before there is any page
		allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
		ctx, cancel := chromedp.NewContext(allocator, chromedp.WithListener(b.hear))
		t.Cleanup(func() { cancel(); stop() })
		err := chromedp.Do(ctx)
		if err == nil {
			b.ctx = ctx
			break
		}
		if try == browserTries {
			t.Fatalf("no browser can be started; this test needs one (apt-get install --no-install-recommends chromium): %v", err)
		}
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchful})
	b.size(1280, 900)
	b.must(chromedp.Navigate(origin + "/"))
	b.until("the page is live", `document.querySelector("#link").dataset.state === "live"`)
	t.Cleanup(b.quiet)
	return b
}

func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatal(err)
	}
}

// hear runs for every event of the tab.
func (b *tab) hear(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	complain := func(format string, args ...any) { b.complaints = append(b.complaints, fmt.Sprintf(format, args...)) }
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		complain("script error: %s", (&chromedp.ExceptionError{ExceptionDetails: ev.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, arg := range ev.Args {
			words = append(words, string(arg.Value))
		}
		complain("console.%s: %s", ev.Type, strings.Join(words, " "))
	case *log.EventEntryAdded:
		if b.away && ev.Entry.Source == log.EntrySourceNetwork && strings.HasPrefix(ev.Entry.URL, b.origin+"/") {
			return
		}
		complain("browser log: %s %s: %s (%s)", ev.Entry.Source, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, ev.Request.URL)
		if !strings.HasPrefix(ev.Request.URL, b.origin+"/") {
			complain("a request leaves the server: %s", ev.Request.URL)
		}
	}
}

// quiet fails the test if there were complaints, and forgets them.
func (b *tab) quiet() {
	b.Helper()
	for _, c := range b.forget() {
		b.Error(c)
	}
}

func (b *tab) forget() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.complaints
	b.complaints = nil
	return said
}

func (b *tab) asked(path string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.requests, func(r string) bool { return strings.HasPrefix(r, b.origin+path) })
}

func (b *tab) must(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// ask evaluates an expression in the page.
func ask[V any](b *tab, expression string) V {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[V](expression))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true.
func (b *tab) until(what, expression string) {
	b.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		b.Fatalf("waiting until %s: %v\ncomplaints: %q\nheadline: %q", what, err, b.forget(), ask[string](b, `document.querySelector("#headline").textContent`))
	}
}

func (b *tab) size(width, height int64) { b.must(chromedp.EmulateViewport(width, height)) }

// media sets what a style sheet may ask for.
func (b *tab) media(name, value string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
}

func (b *tab) press(keys string, options ...chromedp.KeyOption) {
	b.Helper()
	b.must(chromedp.KeyEvent(keys, options...))
}

// slash presses the key as a person does: a script that takes it for itself keeps it out of the text.
func (b *tab) slash() {
	b.Helper()
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/", WindowsVirtualKeyCode: 191})
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: "/", Code: "Slash", WindowsVirtualKeyCode: 191})
}

// hears waits for a complaint with a text in it.
func (b *tab) hears(what, text string) {
	b.Helper()
	for deadline := time.Now().Add(patience); ; {
		said := strings.Join(b.forget(), "\n")
		if strings.Contains(said, text) {
			return
		}
		if time.Now().After(deadline) {
			b.Errorf("%s: nothing with %q among the complaints:\n%s", what, text, said)
			return
		}
		if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`new Promise((done) => setTimeout(() => done(true), 20))`, chromedp.EvalAwaitPromise)); err != nil {
			b.Fatal(err)
		}
	}
}

// fits fails the test if the page is to be scrolled sideways.
func (b *tab) fits() {
	b.Helper()
	if wide := ask[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
		b.Errorf("the page is %d px too wide for the window; what sticks out: %v", wide, ask[[]string](b,
			`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".unseen, .skip")).slice(0, 5).map((e) => e.tagName + "#" + e.id + "." + e.className)`))
	}
}

// free is a loopback address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// reached waits until somebody listens.
func reached(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func originOf(address string) string { return (&url.URL{Scheme: "http", Host: address}).String() }
