//go:build unix

package login

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var screenshots = flag.String("screenshots", "", "keep what Chromium shows in this `folder`")

// TestInChromium logs in with a real browser, and looks at what a person sees.
func TestInChromium(t *testing.T) {
	program := chromium(t)
	denied := &DeniedError{Code: "access_denied", Description: "The workspace does not allow new applications."}
	trouble := errors.New("exchanging the code: the authorization server answered 400, invalid_grant")
	for _, c := range []struct {
		name  string
		issue error // what becomes of the answer
		dark  bool
		width int
		title string
		shows []string
	}{
		{"login-worked", nil, false, 800, "Logged in", []string{
			"weir is logged in to tracker at login.example.com.", "You can close this tab. weir goes on by itself.",
		}},
		{"login-failed", denied, false, 800, "Not logged in", []string{
			"The login to tracker at login.example.com was refused, by you or by the server.",
			"The server says: The workspace does not allow new applications.",
			"To try again, run weir login tracker in a terminal.",
		}},
		{"login-worked-dark", nil, true, 800, "Logged in", nil},
		{"login-failed-dark-narrow", trouble, true, 360, "Not logged in", []string{trouble.Error()}},
		{"login-failed-narrow", errors.New(strings.Repeat("long", 100)), false, 360, "Not logged in", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := beginInWeb(t, func(_ context.Context, answer url.Values) error {
				if got := answer.Get("code"); got != "the code" {
					t.Errorf("redeemed code %q", got)
				}
				return c.issue
			})
			page := visit(t, program, a.URL(), c.width, c.dark)
			a.Close()
			if a.Err() != c.issue { //nolint:errorlint // the very error
				t.Fatalf("got error %v, want %v", a.Err(), c.issue)
			}
			if !strings.Contains(page.dom, "<title>"+c.title+" – weir</title>") {
				t.Errorf("got another title than %q:\n%s", c.title, page.dom)
			}
			text := readable(page.dom)
			for _, want := range append(c.shows, c.title) {
				if !strings.Contains(text, want) {
					t.Errorf("the page does not say %q:\n%s", want, text)
				}
			}
			if strings.Contains(page.dom, a.state) {
				t.Error("the page holds the state")
			}
			for _, line := range page.console {
				t.Errorf("on the console: %s", line)
			}
			look(t, page.picture, c.dark, c.issue == nil)
			if *screenshots != "" {
				keep(t, page.file, filepath.Join(*screenshots, c.name+".png"))
			}
		})
	}
}

// TestOldPageInChromium: of a login that has ended, at a port that waits for
// another one.
func TestOldPageInChromium(t *testing.T) {
	program := chromium(t)
	a := beginInWeb(t, func(context.Context, url.Values) error {
		t.Error("redeemed")
		return nil
	})
	page := visit(t, program, fmt.Sprintf("http://127.0.0.1:%d/callback?code=old&state=old", a.Port()), 800, false)
	if text := readable(page.dom); !strings.Contains(text, "This page is old") || strings.Contains(text, "tracker") {
		t.Errorf("got the page\n%s", text)
	}
}

func chromium(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed; on Debian: apt-get install --no-install-recommends chromium")
	}
	return program
}

// beginInWeb begins a login at an authorization server whose user agrees at once:
// by a form that is sent, and an answer that redirects, as most of them do it.
func beginInWeb(t *testing.T, redeem func(context.Context, url.Values) error) *Attempt {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>consent</title><link rel="icon" href="data:,"><form method="post"></form><script>document.forms[0].submit()</script>`)
	})
	mux.HandleFunc("POST /authorize", func(w http.ResponseWriter, r *http.Request) {
		answer := url.Values{"code": {"the code"}, "state": {r.FormValue("state")}}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
	})
	web := httptest.NewServer(mux)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	a, err := Begin(t.Context(), Options{
		Server: "tracker", Issuer: "https://login.example.com",
		Authorize: func(_ context.Context, redirect, state string) (string, error) {
			return web.URL + "/authorize?" + url.Values{"redirect_uri": {redirect}, "state": {state}}.Encode(), nil
		},
		Redeem: redeem,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// A rendered page is what Chromium made of an address.
type rendered struct {
	dom     string
	console []string // what a developer would find there
	file    string
	picture image.Image
}

// visit lets Chromium load an address. It is bounded, and nothing of it is left.
func visit(t *testing.T, program, address string, width int, dark bool) (page rendered) {
	t.Helper()
	place := t.TempDir()
	page.file = filepath.Join(place, "page.png")
	height := 420
	if width < 500 {
		height = 640
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program,
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-breakpad", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--force-device-scale-factor=1", fmt.Sprintf("--window-size=%d,%d", width, height),
		fmt.Sprintf("--blink-settings=preferredColorScheme=%d", map[bool]int{true: 0, false: 1}[dark]),
		"--user-data-dir="+filepath.Join(place, "data"), "--enable-logging=stderr", "--virtual-time-budget=10000",
		"--screenshot="+page.file, "--dump-dom", address)
	cmd.Env = append(os.Environ(), "HOME="+place, "XDG_CONFIG_HOME="+place, "XDG_CACHE_HOME="+place)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endGroup := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = endGroup
	cmd.WaitDelay = 5 * time.Second
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	_ = endGroup() // what the browser left behind
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, log.String())
	}
	page.dom = out.String()
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			page.console = append(page.console, line)
		}
	}
	f, err := os.Open(page.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if page.picture, err = png.Decode(f); err != nil {
		t.Fatal(err)
	}
	if got := page.picture.Bounds().Dx(); got != width {
		t.Errorf("the page is %d pixels wide, want %d", got, width)
	}
	return page
}

var tag = regexp.MustCompile(`<(style|script|title)[^>]*>[^<]*</[^>]*>|<[^>]*>`)

// readable is the text of a page, in one line.
func readable(dom string) string {
	return strings.Join(strings.Fields(tag.ReplaceAllString(dom, "")), " ")
}

// look checks that the page is light or dark as wanted, that there is text in it
// that can be read, that its sign has the colour of the outcome, and that nothing
// sticks out of the window.
func look(t *testing.T, picture image.Image, dark, good bool) {
	t.Helper()
	bounds := picture.Bounds()
	at := func(x, y int) color.RGBA {
		c, _ := color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)
		return c
	}
	back := at(0, bounds.Max.Y-1)
	if isDark := luminance(back) < 0.2; isDark != dark {
		t.Errorf("the background is %v, want dark: %v", back, dark)
	}
	colours := map[color.RGBA]int{}
	for y := range bounds.Max.Y {
		for x := range bounds.Max.X {
			colours[at(x, y)]++
		}
		if edge := at(bounds.Max.X-1, y); edge != back {
			t.Fatalf("at the right edge, line %d, is %v: something sticks out", y, edge)
		}
	}
	byCount := slices.SortedFunc(func(yield func(color.RGBA) bool) {
		for c := range colours {
			if !yield(c) {
				return
			}
		}
	}, func(a, b color.RGBA) int { return cmp.Compare(colours[b], colours[a]) })
	card := byCount[0]
	if card == back {
		card = byCount[1]
	}
	// WCAG 2.2, 1.4.6: 7 is enhanced contrast. Glyphs are thin: most of their
	// pixels are between the colours.
	readable, green, red := 0, 0, 0
	for c, n := range colours {
		if contrast(c, card) >= 7 {
			readable += n
		}
		switch r, g, b := int(c.R), int(c.G), int(c.B); {
		case g > r+50 && g > b+30:
			green += n
		case r > g+80 && r > b+50:
			red += n
		}
	}
	if readable < 500 {
		t.Errorf("%d pixels stand out from the card %v, which is no text", readable, card)
	}
	if good != (green > 200) || good == (red > 200) {
		t.Errorf("got %d green and %d red pixels for good: %v", green, red, good)
	}
}

func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		f := float64(v) / 255
		return f * f * (0.7 + 0.3*f) // near enough to sRGB's
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

func contrast(a, b color.RGBA) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func keep(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, fs.FileMode(0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}
