package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Each bubble ends only when every goroutine of the attempt has.

func TestLoggedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		if f.Err() != nil {
			t.Errorf("got error %v before the end", f.Err())
		}
		page := f.get(t, f.good("&iss=https%3A%2F%2Flogin.example.com%2Ftenant"))
		f.want(t, 1, nil)

		answer := <-f.redeemed
		if answer.Get("code") != "the-code" || answer.Get("iss") != "https://login.example.com/tenant" {
			t.Errorf("redeemed %v", answer)
		}
		if page.status != http.StatusOK || page.title() != "Logged in" {
			t.Errorf("got status %d, title %q", page.status, page.title())
		}
		page.holds(t, "github", "login.example.com", "You can close this tab")
		if strings.Contains(page.body, "the-code") || strings.Contains(page.body, f.state) {
			t.Errorf("the page holds the answer:\n%s", page.body)
		}
	})
}

// TestHeaders: of every page, whatever it says.
func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		foreign, err := f.ask(t, http.MethodGet, "/callback", map[string]string{"Host": "evil.example"})
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range []seen{foreign, f.get(t, "state=x"), f.get(t, f.good(""))} {
			for name, want := range map[string]string{
				"Content-Type":           "text/html; charset=utf-8",
				"X-Content-Type-Options": "nosniff",
				"X-Frame-Options":        "DENY",
				"Referrer-Policy":        "no-referrer",
				"Cache-Control":          "no-store",
				"Connection":             "close",
			} {
				if got := page.header.Get(name); got != want {
					t.Errorf("status %d: got %s %q, want %q", page.status, name, got, want)
				}
			}
			policy := page.header.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("got policy %q", policy)
			}
			for name := range page.header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" || name == "Server" {
					t.Errorf("got header %s", name)
				}
			}
		}
	})
}

// TestStrangers: what is not the answer decides nothing, and learns nothing.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		callback := "/callback?" + f.good("")
		for _, c := range []struct {
			name   string
			method string
			target string
			header map[string]string
			status int
		}{
			{"HEAD", "HEAD", callback, nil, 405},
			{"POST", "POST", callback, nil, 405},
			{"OPTIONS", "OPTIONS", callback, map[string]string{"Access-Control-Request-Private-Network": "true"}, 405},
			{"DELETE", "DELETE", callback, nil, 405},
			{"favicon", "GET", "/favicon.ico", nil, 404},
			{"root", "GET", "/?" + f.good(""), nil, 404},
			{"below", "GET", "/callback/?" + f.good(""), nil, 404},
			{"case", "GET", "/Callback?" + f.good(""), nil, 404},
			{"rebound name", "GET", callback, map[string]string{"Host": "evil.example:4711"}, 403},
			{"no port", "GET", callback, map[string]string{"Host": "127.0.0.1"}, 403},
			{"other port", "GET", callback, map[string]string{"Host": "127.0.0.1:80"}, 403},
			{"other address", "GET", callback, map[string]string{"Host": "127.0.0.2:4711"}, 403},
			{"origin", "GET", callback, map[string]string{"Origin": "https://evil.example"}, 403},
			{"own origin's port", "GET", callback, map[string]string{"Origin": "http://evil.example:4711"}, 403},
			{"no origin's form", "GET", callback, map[string]string{"Origin": "127.0.0.1:4711"}, 403},
			{"secure origin", "GET", callback, map[string]string{"Origin": "https://127.0.0.1:4711"}, 403},
			{"null origin", "GET", callback, map[string]string{"Origin": "null"}, 403},
			{"empty origin", "GET", callback, map[string]string{"Origin": ""}, 403},
			{"prefetch", "GET", callback, map[string]string{"Purpose": "prefetch"}, 503},
			{"prerender", "GET", callback, map[string]string{"Sec-Purpose": "Prefetch;prerender"}, 503},
			{"prefetch by Firefox", "GET", callback, map[string]string{"X-Moz": "prefetch"}, 503},
			{"no query", "GET", "/callback", nil, 400},
			{"no state", "GET", "/callback?code=a", nil, 400},
			{"empty state", "GET", "/callback?code=a&state=", nil, 400},
			{"wrong state", "GET", "/callback?code=a&state=" + f.state[1:] + "x", nil, 400},
			{"longer state", "GET", callback + "x", nil, 400},
			{"two states", "GET", callback + "&state=x", nil, 400},
			{"two codes", "GET", callback + "&code=x", nil, 400},
			{"two issuers", "GET", callback + "&iss=a&iss=b", nil, 400},
			{"two errors", "GET", callback + "&error=a&error=b", nil, 400},
			{"broken escape", "GET", callback + "&a=%zz", nil, 400},
			{"semicolon", "GET", callback + ";a", nil, 400},
			{"long query", "GET", callback + "&a=" + strings.Repeat("a", maxQuery), nil, 414},
			{"long header", "GET", callback, map[string]string{"Cookie": strings.Repeat("a", maxHeader+maxQuery+4096)}, 431},
		} {
			page, err := f.ask(t, c.method, c.target, c.header)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if page.status != c.status {
				t.Errorf("%s: got status %d, want %d", c.name, page.status, c.status)
			}
			for _, secret := range []string{"github", "example.com", f.state} {
				if strings.Contains(page.body, secret) {
					t.Errorf("%s: the page tells %q", c.name, secret)
				}
			}
			if len(f.redeemed) > 0 {
				t.Fatalf("%s: redeemed", c.name)
			}
		}
		page, err := f.ask(t, "GET", callback, map[string]string{"Host": "LOCALHOST:4711", "Origin": "http://127.0.0.1:4711"})
		if err != nil || page.title() != "Logged in" {
			t.Errorf("then the right one: got %q, %v", page.title(), err)
		}
		f.want(t, 1, nil)
	})
}

func TestTooManyWrongAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		for i := range maxWrong - 1 {
			if page := f.get(t, "code=a&state=x"+strconv.Itoa(i)); page.title() != "This page is old" {
				t.Fatalf("got %q", page.title())
			}
		}
		select {
		case <-f.Done():
			t.Fatal("ended too early")
		default:
		}
		f.get(t, "code=a&state=x")
		f.want(t, 0, ErrSpoiled)
	})
}

// TestNotLoggedIn: an error response is redeemed like any other, and what comes of
// that is what is shown.
func TestNotLoggedIn(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		shows []string
		hides []string
	}{
		"refused": {
			&DeniedError{Code: "access_denied"},
			[]string{"was refused, by you or by the server", "weir login <bdi>github</bdi>"},
			[]string{"access_denied", "The server says"},
		},
		"refused with words": {
			&DeniedError{Code: "access_denied", Description: "<img src=x onerror=alert(1)>\u202e\x1b[31m \"quoted\"\n& more" + strings.Repeat("x", 300)},
			[]string{"The server says", "&lt;img src=x onerror=alert(1)&gt;[31m &#34;quoted&#34; &amp; more", "x…"},
			[]string{"<img", "\u202e", "\x1b", strings.Repeat("x", shownMost)},
		},
		"other code": {
			&DeniedError{Code: "server_error", Description: "try <later>"},
			[]string{"did not work", "the authorization server answered &#34;server_error&#34;: try &lt;later&gt;"},
			[]string{"was refused"},
		},
		"trouble": {
			errors.New("exchanging the code: the authorization server answered 500"),
			[]string{"did not work", "exchanging the code: the authorization server answered 500", "login.example.com"},
			nil,
		},
		"wrapped": {
			fmt.Errorf("upstream: %w", &DeniedError{Code: "access_denied"}),
			[]string{"was refused"},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := open(t, Options{Redeem: func(context.Context, url.Values) error { return c.err }})
				page := f.get(t, "error=access_denied&error_description=the-servers-own-words&state="+f.state)
				f.want(t, 1, c.err)
				if answer := <-f.redeemed; answer.Get("error") != "access_denied" {
					t.Errorf("redeemed %v", answer)
				}
				if page.status != http.StatusOK || page.title() != "Not logged in" {
					t.Errorf("got status %d, title %q", page.status, page.title())
				}
				page.holds(t, c.shows...)
				for _, text := range append(c.hides, "the-servers-own-words") {
					if strings.Contains(page.body, text) {
						t.Errorf("the page shows %q:\n%s", text, page.body)
					}
				}
			})
		})
	}
}

// TestNames: those of servers come from a file that others may have written.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{Server: "</b><script>alert(1)</script>", Issuer: "https://<u>evil</u>.example/"})
		page := f.get(t, f.good(""))
		page.holds(t, "&lt;script&gt;alert(1)&lt;/script&gt;")
		for _, text := range []string{"<script", "<u>"} {
			if strings.Contains(page.body, text) {
				t.Errorf("the page holds %q:\n%s", text, page.body)
			}
		}
	})
}

// TestTwoAtOnce: of a page that is loaded twice both are answered, by one login;
// and of two different answers the first counts.
func TestTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		f := open(t, Options{Redeem: func(context.Context, url.Values) error {
			<-let
			return nil
		}})
		titles := make(chan string, 10)
		var asking sync.WaitGroup
		for range cap(titles) {
			asking.Go(func() { titles <- f.get(t, f.good("")).title() })
		}
		synctest.Wait()
		if page := f.get(t, f.good("&session_state=other")); page.status != http.StatusBadRequest || page.title() != "This page is old" {
			t.Errorf("another answer: got status %d, title %q", page.status, page.title())
		}
		close(let)
		asking.Wait()
		for range cap(titles) {
			if title := <-titles; title != "Logged in" {
				t.Errorf("got %q", title)
			}
		}
		f.want(t, 1, nil)
	})
}

func TestExpiry(t *testing.T) {
	for _, c := range []struct{ set, want time.Duration }{{0, 10 * time.Minute}, {time.Hour, time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			f := open(t, Options{Lifetime: c.set})
			f.want(t, 0, ErrExpired)
			if took := time.Since(begun); took != c.want {
				t.Errorf("took %v, want %v", took, c.want)
			}
		})
	}
}

// TestRedeemTime: an answer that came in time is redeemed, for a minute at most.
func TestRedeemTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{Lifetime: time.Minute, Redeem: func(ctx context.Context, _ url.Values) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		time.Sleep(59 * time.Second) //nolint:forbidigo // the bubble's time
		begun := time.Now()
		page := f.get(t, f.good(""))
		page.holds(t, "the authorization server did not answer in time")
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("took %v, want a minute", took)
		}
		<-f.Done()
		if f.Err() == nil || errors.Is(f.Err(), ErrExpired) {
			t.Errorf("got error %v", f.Err())
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		var closing sync.WaitGroup
		for range 5 {
			closing.Go(f.Close)
		}
		closing.Wait()
		f.want(t, 0, ErrAbandoned)
		f.Close()
	})
}

// TestCloseWhileRedeeming: the browser is told, and what was redeemed all the same
// stays so.
func TestCloseWhileRedeeming(t *testing.T) {
	for _, c := range []struct {
		name   string
		result func(context.Context) error
		err    error
		title  string
	}{
		{"in vain", context.Cause, ErrAbandoned, "Not logged in"},
		{"with success", func(context.Context) error { return nil }, nil, "Logged in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := open(t, Options{Redeem: func(ctx context.Context, _ url.Values) error {
					<-ctx.Done()
					return c.result(ctx)
				}})
				var browser sync.WaitGroup
				browser.Go(func() {
					if page := f.get(t, f.good("")); page.title() != c.title {
						t.Errorf("got title %q, want %q", page.title(), c.title)
					}
				})
				synctest.Wait()
				f.Close()
				browser.Wait()
				f.want(t, 1, c.err)
			})
		})
	}
}

// TestBeginEnds: the context of Begin does not bound the attempt.
func TestBeginEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := newMemory()
		a, err := begin(ctx, Options{
			Authorize: func(context.Context, string, string) (string, error) { return "https://a.example/", nil },
			Redeem:    func(ctx context.Context, _ url.Values) error { return ctx.Err() },
		}, l)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		if err := a.Paste(t.Context(), "code=a&state="+a.state); err != nil {
			t.Errorf("got error %v", err)
		}
		a.Close()
	})
}

// TestSlow: who says nothing, or never ends, keeps a place for some seconds only,
// and nobody from logging in.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		begun := time.Now()
		var held sync.WaitGroup
		for range maxConns {
			conn, err := f.memory.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			held.Go(func() {
				defer conn.Close()
				fmt.Fprintf(conn, "GET /callback?")
				_, _ = io.Copy(io.Discard, conn)
			})
		}
		synctest.Wait()
		if _, err := f.ask(t, http.MethodGet, "/callback?"+f.good(""), nil); err == nil {
			t.Errorf("got an answer on connection %d", maxConns+1)
		}
		held.Wait()
		if took := time.Since(begun); took != readTime {
			t.Errorf("held for %v, want %v", took, readTime)
		}
		f.get(t, f.good(""))
		f.want(t, 1, nil)
	})
}

// TestSpareConnections: browsers open more than they use, which must not hold up
// the end; nor must one that is in the midst of it, for long.
func TestSpareConnections(t *testing.T) {
	for _, c := range []struct {
		says string
		most time.Duration
	}{{"", 0}, {"GET /favicon.ico", goodbye}} {
		synctest.Test(t, func(t *testing.T) {
			f := open(t, Options{})
			conn, err := f.memory.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if c.says != "" {
				fmt.Fprint(conn, c.says)
			}
			begun := time.Now()
			f.get(t, f.good(""))
			<-f.Done()
			if took := time.Since(begun); took > c.most {
				t.Errorf("%q: took %v, want at most %v", c.says, took, c.most)
			}
		})
	}
}

// TestDeafBrowser: one that does not read its page does not keep the attempt.
func TestDeafBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		conn, err := f.memory.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begun := time.Now()
		fmt.Fprintf(conn, "GET /callback?%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", f.good(""), testPort)
		<-f.Done()
		if took := time.Since(begun); took > goodbye {
			t.Errorf("took %v, want at most %v", took, goodbye)
		}
		f.want(t, 1, nil)
	})
}

func TestFormatHidesState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, f.Attempt)
			if strings.Contains(text, f.state) || !strings.Contains(text, "github") {
				t.Errorf("%s prints %q", verb, text)
			}
		}
	})
}

func TestStateIsNew(t *testing.T) {
	a, b := newState(), newState()
	if len(a) != 43 || a == b || strings.Trim(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("got states %q, %q", a, b)
	}
}

// TestPorts: on real sockets, on this machine's own address only, and given back.
func TestPorts(t *testing.T) {
	o := Options{
		Server: "s", Issuer: "https://a.example",
		Redeem: func(context.Context, url.Values) error { return nil },
	}
	var redirect string
	o.Authorize = func(_ context.Context, uri, _ string) (string, error) {
		redirect = uri
		return "https://a.example/", nil
	}
	begin := func(o Options) *Attempt {
		t.Helper()
		a, err := Begin(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		if want := fmt.Sprintf("http://127.0.0.1:%d/callback", a.Port()); redirect != want {
			t.Errorf("got redirect URI %q, want %q", redirect, want)
		}
		return a
	}
	first := begin(o)
	taken := first.Port()

	prefer := o
	prefer.Prefer = taken
	if other := begin(prefer); other.Port() == taken || other.Port() == 0 {
		t.Errorf("preferring %d, which is taken: got %d", taken, other.Port())
	}

	fixed := o
	fixed.Port = taken
	_, err := Begin(t.Context(), fixed)
	refused, ok := errors.AsType[*PortError](err)
	if !ok || refused.Port != taken || !strings.Contains(err.Error(), fmt.Sprintf("port %d on 127.0.0.1 is in use", taken)) {
		t.Errorf("got error %v, want a PortError", err)
	}

	response, err := http.Get(fmt.Sprintf("http://localhost:%d/", taken))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("got status %d", response.StatusCode)
	}
	for _, address := range ownAddresses(t) {
		if conn, err := net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(taken))); err == nil {
			conn.Close()
			t.Errorf("listens on %s too", address)
		}
	}

	first.Close()
	if again := begin(prefer); again.Port() != taken {
		t.Errorf("preferring %d, which is free: got %d", taken, again.Port())
	} else {
		again.Close()
	}
	if again := begin(fixed); again.Port() != taken {
		t.Errorf("got port %d, want %d", again.Port(), taken)
	}
}

// TestLocalhost: by that name, the browser comes back to either address of it, and
// nobody else can be at one of them.
func TestLocalhost(t *testing.T) {
	var redirect string
	o := Options{
		Server: "s", Issuer: "https://a.example", Host: "localhost",
		Authorize: func(_ context.Context, uri, _ string) (string, error) {
			redirect = uri
			return "https://a.example/", nil
		},
	}
	a, err := Begin(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if want := fmt.Sprintf("http://localhost:%d", a.Port()); redirect != want+"/callback" || a.Origin() != want {
		t.Errorf("got redirect URI %q and origin %q, want %s", redirect, a.Origin(), want)
	}
	addresses := []string{"127.0.0.1"}
	if has6(t.Context()) {
		addresses = append(addresses, "::1")
	}
	for _, address := range addresses {
		conn, err := net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(a.Port())))
		if err != nil {
			t.Errorf("nobody listens on %s: %v", address, err)
			continue
		}
		conn.Close()
	}
	for _, address := range ownAddresses(t) {
		if slices.Contains(addresses, address) {
			continue
		}
		if conn, err := net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(a.Port()))); err == nil {
			conn.Close()
			t.Errorf("listens on %s too", address)
		}
	}
	a.Close()

	for _, address := range addresses {
		other, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(a.Port())))
		if err != nil {
			t.Fatal(err)
		}
		fixed, prefer := o, o
		fixed.Port, prefer.Prefer = a.Port(), a.Port()
		_, err = Begin(t.Context(), fixed)
		if want := fmt.Sprintf("port %d on %s is in use", a.Port(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
		if another, err := Begin(t.Context(), prefer); err != nil {
			t.Error(err)
		} else {
			if another.Port() == a.Port() {
				t.Errorf("somebody is on %s, and the port was taken", address)
			}
			another.Close()
		}
		other.Close()
	}
}

// ownAddresses are those of this machine that others can reach.
func ownAddresses(t *testing.T) (addresses []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range all {
		if n, ok := address.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			addresses = append(addresses, n.IP.String())
		}
	}
	return append(addresses, "127.0.0.2", "::1")
}

// TestBeginFails: nothing is left of it, and the caller keeps what it would have
// released.
func TestBeginFails(t *testing.T) {
	trouble := errors.New("registering: refused")
	for name, authorize := range map[string]func(context.Context, string, string) (string, error){
		"trouble":    func(context.Context, string, string) (string, error) { return "", trouble },
		"file":       func(context.Context, string, string) (string, error) { return "file:///etc/passwd", nil },
		"plain http": func(context.Context, string, string) (string, error) { return "http://a.example/", nil },
	} {
		var port int
		_, err := Begin(t.Context(), Options{
			Authorize: func(ctx context.Context, redirect, state string) (string, error) {
				u, err := url.Parse(redirect)
				if err != nil {
					return "", err
				}
				port, _ = strconv.Atoi(u.Port())
				return authorize(ctx, redirect, state)
			},
			Release: func() { t.Errorf("%s: released", name) },
		})
		if err == nil || strings.Contains(err.Error(), "passwd") {
			t.Errorf("%s: got error %v", name, err)
		}
		if name == "trouble" && !errors.Is(err, trouble) {
			t.Errorf("%s: got error %v", name, err)
		}
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Errorf("%s: the port is not given back: %v", name, err)
			continue
		}
		l.Close()
	}
}
