package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// serve starts a server on loopback, with TLS if that is set, and returns a Client
// for the sake of a server at address ("" is that server), which trusts it.
func serve(t *testing.T, secure bool, address string, handler http.HandlerFunc) (*httptest.Server, *Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	base := &http.Transport{}
	if secure {
		server.StartTLS()
		base.TLSClientConfig = trusting(server)
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	if address == "" {
		address = server.URL
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(u, base)
	t.Cleanup(c.Close)
	return server, c
}

func trusting(server *httptest.Server) *tls.Config {
	return server.Client().Transport.(*http.Transport).TLSClientConfig
}

func port(t *testing.T, server *httptest.Server) string {
	t.Helper()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// wantRefused fails unless err is a refusal whose reason has these words.
func wantRefused(t *testing.T, err error, words string) {
	t.Helper()
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || !strings.Contains(refused.Reason, words) {
		t.Errorf("got %v, want a refusal that says %q", err, words)
	}
}

func TestGet(t *testing.T) {
	for _, secure := range []bool{false, true} {
		server, c := serve(t, secure, "", func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("User-Agent"); got != "weir" {
				t.Errorf("User-Agent is %q, want weir", got)
			}
			if got := r.Header.Get("Accept-Encoding"); got != "" {
				t.Errorf("Accept-Encoding is %q, want none", got)
			}
			w.Header().Set("X-Echo", r.Header.Get("X-Sent"))
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, r.URL.RequestURI())
		})
		status, header, body, err := c.Get(t.Context(), server.URL+"/a?b", http.Header{"X-Sent": {"x"}})
		if err != nil || status != http.StatusTeapot || header.Get("X-Echo") != "x" || string(body) != "/a?b" {
			t.Errorf("secure %v: got %d %q %q %v", secure, status, header.Get("X-Echo"), body, err)
		}
	}
}

func TestGetRefusesBeforeItDials(t *testing.T) {
	server, c := serve(t, false, "https://mcp.example.com", func(http.ResponseWriter, *http.Request) {
		t.Error("the server was asked")
	})
	_, _, _, err := c.Get(t.Context(), server.URL+"/?q=SECRET", nil)
	wantRefused(t, err, "points into this machine")
	wantRefusedText := `"` + server.URL + `/" is refused: it points into this machine; weir goes there only if the server itself is there`
	if err.Error() != wantRefusedText {
		t.Errorf("got %q, want %q", err, wantRefusedText)
	}
	resp, err := c.HTTP().Post(server.URL, "text/plain", strings.NewReader("x"))
	if err == nil {
		resp.Body.Close()
	}
	wantRefused(t, err, "points into this machine")
}

func TestBodyLimit(t *testing.T) {
	server, c := serve(t, false, "", func(w http.ResponseWriter, r *http.Request) {
		size := maxBody
		if r.URL.Path == "/more" {
			size++
		}
		w.Write(make([]byte, size))
	})
	_, _, body, err := c.Get(t.Context(), server.URL, nil)
	if err != nil || len(body) != maxBody {
		t.Errorf("got %d bytes and %v, want %d", len(body), err, maxBody)
	}
	_, _, body, err = c.Get(t.Context(), server.URL+"/more", nil)
	if _, ok := errors.AsType[*TooLargeError](err); !ok || body != nil {
		t.Errorf("got %d bytes and %v, want none and a TooLargeError", len(body), err)
	}
	resp, err := c.HTTP().Get(server.URL + "/more")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if _, ok := errors.AsType[*TooLargeError](err); !ok || len(body) != maxBody {
		t.Errorf("got %d bytes and %v, want %d and a TooLargeError", len(body), err, maxBody)
	}
}

func TestHeaderLimit(t *testing.T) {
	server, c := serve(t, false, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", maxHeader))
	})
	if _, _, _, err := c.Get(t.Context(), server.URL, nil); err == nil {
		t.Error("got an answer with longer headers than there may be")
	}
}

func TestNoCookies(t *testing.T) {
	server, c := serve(t, false, "", func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) > 0 {
			t.Errorf("a cookie came back: %v", r.Cookies())
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/next", http.StatusFound)
		}
	})
	for range 2 {
		if _, _, _, err := c.Get(t.Context(), server.URL, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestRedirects(t *testing.T) {
	var plain *httptest.Server
	var seen []string
	secure, c := serve(t, true, "https://localhost", func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path)
		if first := r.URL.Path == "/start"; first != (r.Header.Get("Authorization") != "") {
			t.Errorf("%s: Authorization is %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		if got := r.Header.Get("Referer"); got != "" {
			t.Errorf("%s: Referer is %q", r.URL.Path, got)
		}
		to := r.URL.Query()["to"]
		if len(to) == 0 {
			return
		}
		status := http.StatusFound
		if r.URL.Query().Has("keep") {
			status = http.StatusTemporaryRedirect
		}
		target := strings.ReplaceAll(to[0], "PLAIN", plain.URL)
		if rest := to[1:]; len(rest) > 0 {
			target += "?" + url.Values{"to": rest}.Encode()
		}
		w.Header().Set("Location", target)
		w.WriteHeader(status)
	})
	plain = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect from https to http was followed")
	}))
	t.Cleanup(plain.Close)
	credentials := http.Header{"Authorization": {"Bearer x"}}
	for _, test := range []struct {
		to   []string
		want string // a part of the refusal; "" if it is followed
	}{
		{[]string{"/1"}, ""},
		{[]string{"/1", "/2", "/3"}, ""},
		{[]string{"/1", "/2", "/3", "/4"}, "one redirect too many"},
		{[]string{"PLAIN/x"}, "leaves https"},
		{[]string{"/1", "PLAIN/x"}, "leaves https"},
		{[]string{"https://169.254.169.254/latest"}, "this network segment"},
		{[]string{"https://10.0.0.1/"}, "a private network"},
		{[]string{"https://user:SECRET@127.0.0.1/"}, "name or password"},
		{[]string{"https://2130706433/"}, "form that is not usual"},
		{[]string{"https://127.0.0.1/#x"}, "fragment"},
	} {
		seen = nil
		address := secure.URL + "/start?" + url.Values{"to": test.to}.Encode()
		status, _, _, err := c.Get(t.Context(), address, credentials)
		switch {
		case test.want != "":
			wantRefused(t, err, test.want)
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%q: the error tells a secret: %v", test.to, err)
			}
		case err != nil || status != http.StatusOK:
			t.Errorf("%q: got %d %v", test.to, status, err)
		}
		if len(seen) > 1+maxRedirects {
			t.Errorf("%q: %d requests", test.to, len(seen))
		}
	}

	for _, query := range []string{"?to=/1", "?to=/1&keep"} {
		seen = nil
		req, err := http.NewRequest(http.MethodPost, secure.URL+"/start"+query, strings.NewReader("code=x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = credentials.Clone()
		resp, err := c.HTTP().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode/100 != 3 || !slices.Equal(seen, []string{"POST /start"}) {
			t.Errorf("POST %s: got %d after %q, want the redirect as the answer", query, resp.StatusCode, seen)
		}
	}
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(&url.URL{Scheme: "https", Host: "mcp.example.com"}, nil)
		silent := roundTripper(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		c.fetcher.Transport, c.client.Transport = silent, silent
		start := time.Now()
		_, _, _, err := c.Get(t.Context(), "https://auth.example.com/?q=SECRET", nil)
		if want := `fetching "https://auth.example.com/": no answer within 10s: context deadline exceeded`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is no context.DeadlineExceeded", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("Get waits %v, want 10s", took)
		}

		start = time.Now()
		resp, err := c.HTTP().Post("https://auth.example.com/token", "text/plain", strings.NewReader("x"))
		if err == nil {
			resp.Body.Close()
			t.Error("a silent server has answered")
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("HTTP waits %v, want 30s", took)
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, _, _, err := c.Get(ctx, "https://auth.example.com/", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that of the context", err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestAddressesOfNames(t *testing.T) {
	hosts := map[string][][]string{
		"mcp.example.com":    {{"93.184.216.34"}},
		"mcp.office.example": {{"10.1.2.3"}},
		"mcp.vpn.example":    {{"100.64.1.1"}},
		"mcp.dev.example":    {{"127.0.0.1"}},
		"mcp.both.example":   {{"93.184.216.34", "10.1.2.3"}},
		"mcp.fake.example":   {{"198.18.0.7"}},
		"localhost":          {{"127.0.0.1"}},
	}
	for _, test := range []struct {
		server, host, addr string
		want               string
	}{
		{"https://mcp.example.com", "auth.example.com", "1.1.1.1", ""},
		{"https://mcp.example.com", "auth.example.com", "127.0.0.1", "this machine"},
		{"https://mcp.example.com", "auth.example.com", "10.0.0.1", "a private network"},
		{"https://mcp.example.com", "auth.example.com", "fd00::1", "a private network"},
		{"https://mcp.example.com", "auth.example.com", "169.254.169.254", "this network segment"},
		{"https://mcp.example.com", "auth.example.com", "100.64.0.1", "a network that is not public"},
		{"https://mcp.example.com", "auth.example.com", "198.18.0.1", "a network for tests"},
		{"https://mcp.example.com", "auth.example.com", "0.0.0.0", "no server can be"},
		{"https://mcp.example.com", "auth.example.com", "::ffff:10.0.0.1", "a private network"},
		{"https://mcp.example.com", "mcp.example.com", "10.0.0.1", "a private network"},
		{"https://unknown.example", "auth.example.com", "10.0.0.1", "a private network"},
		{"https://unknown.example", "auth.example.com", "1.1.1.1", ""},

		{"https://mcp.office.example", "auth.example.com", "1.1.1.1", ""},
		{"https://mcp.office.example", "auth.office.example", "192.168.7.7", ""},
		{"https://mcp.office.example", "192.168.7.7", "192.168.7.7", ""},
		{"wss://mcp.office.example", "auth.office.example", "64:ff9b::a01:203", ""},
		{"https://10.9.9.9", "auth.office.example", "10.1.1.1", ""},
		{"https://mcp.both.example", "auth.office.example", "10.1.1.1", ""},
		{"https://mcp.office.example", "auth.office.example", "169.254.169.254", "this network segment"},
		{"https://mcp.office.example", "auth.office.example", "127.0.0.1", "this machine"},
		{"https://mcp.office.example", "localhost", "127.0.0.1", "this machine"},
		{"https://mcp.office.example", "auth.office.example", "100.64.0.1", "a network that is not public"},
		{"https://mcp.vpn.example", "auth.vpn.example", "100.64.0.1", ""},
		{"https://mcp.vpn.example", "auth.vpn.example", "10.0.0.1", "a private network"},
		{"https://mcp.fake.example", "auth.example.com", "198.18.0.9", ""},
		{"https://0.0.0.0", "auth.example.com", "0.0.0.0", "no server can be"},

		{"http://localhost:8000", "localhost", "127.0.0.1", ""},
		{"http://localhost:8000", "LOCALHOST.", "::1", ""},
		{"http://127.0.0.1:8000", "localhost", "::1", ""},
		{"http://localhost:8000", "auth.dev.example", "127.0.0.1", ""},
		{"http://localhost:8000", "auth.dev.example", "10.0.0.1", "a private network"},
		{"http://localhost:8000", "localhost", "10.0.0.1", "elsewhere"},
		{"http://localhost:8000", "a.localhost", "1.1.1.1", "elsewhere"},
		{"http://localhost:8000", "auth.dev.example", "0.0.0.0", "no server can be"},

		// The name of a server is somebody's who may be far away: it opens this machine
		// to names, which need a certificate, not to what plain http may go to.
		{"https://mcp.dev.example", "auth.dev.example", "127.0.0.1", ""},
		{"https://mcp.dev.example", "localhost", "127.0.0.1", "this machine"},
		{"https://mcp.dev.example", "127.0.0.1", "127.0.0.1", "this machine"},
	} {
		c := newClient(t, test.server)
		resolveWith(t, c, hosts)
		err := c.checkAddress(test.host, netip.MustParseAddr(test.addr), c.home(t.Context()))
		switch {
		case test.want != "":
			wantRefused(t, err, test.want)
		case err != nil:
			t.Errorf("%s, %s at %s: %v", test.server, test.host, test.addr, err)
		}
	}
}

// A name that led to a harmless address when it was looked at leads into this
// machine when it is dialled.
func TestRebinding(t *testing.T) {
	server, c := serve(t, true, "https://mcp.example.com", func(http.ResponseWriter, *http.Request) {
		t.Error("the server was asked")
	})
	resolveWith(t, c, map[string][][]string{
		"mcp.example.com": {{"93.184.216.34"}},
		"example.com":     {{"93.184.216.34"}, {"127.0.0.1"}},
	})
	if err := c.checkHost(t.Context(), "example.com"); err != nil {
		t.Fatalf("the name is refused at first: %v", err)
	}
	_, _, _, err := c.Get(t.Context(), "https://example.com:"+port(t, server)+"/x", nil)
	wantRefused(t, err, "points into this machine")
	if !strings.Contains(err.Error(), `fetching "https://example.com:`) {
		t.Errorf("the error does not say what was fetched: %v", err)
	}
}

// A name with several addresses is reached at the one that may be gone to.
func TestOneAddressOfSeveral(t *testing.T) {
	server, c := serve(t, true, "https://localhost", func(http.ResponseWriter, *http.Request) {})
	resolveWith(t, c, map[string][][]string{
		"localhost":   {{"127.0.0.1"}},
		"example.com": {{"10.0.0.1", "169.254.169.254", "127.0.0.1"}},
	})
	status, _, _, err := c.Get(t.Context(), "https://example.com:"+port(t, server)+"/x", nil)
	if err != nil || status != http.StatusOK {
		t.Errorf("got %d %v", status, err)
	}
}

// A server that is named as of this machine only by how its name resolves may
// have an authorization server beside it.
func TestServerThatResolvesToThisMachine(t *testing.T) {
	server, c := serve(t, true, "https://mcp.dev.example", func(http.ResponseWriter, *http.Request) {})
	resolveWith(t, c, map[string][][]string{"mcp.dev.example": {{"127.0.0.1"}}, "example.com": {{"127.0.0.1"}}})
	status, _, _, err := c.Get(t.Context(), "https://example.com:"+port(t, server)+"/x", nil)
	if err != nil || status != http.StatusOK {
		t.Errorf("got %d %v", status, err)
	}
	_, _, _, err = c.Get(t.Context(), "https://127.0.0.1:"+port(t, server)+"/x", nil)
	wantRefused(t, err, "points into this machine")
}

// proxied returns a Client whose requests go through a proxy, which connects
// whatever it is asked for to server, and what the proxy was asked for.
func proxied(t *testing.T, server *httptest.Server, address string) (*Client, func() []string) {
	t.Helper()
	asked := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		far, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		near, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer near.Close()
		io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		done := make(chan struct{})
		go func() {
			defer close(done)
			io.Copy(far, buffered)
			far.Close()
		}()
		io.Copy(near, far)
		near.Close()
		<-done
	}))
	t.Cleanup(proxy.Close)
	way, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(u, &http.Transport{Proxy: http.ProxyURL(way), TLSClientConfig: trusting(server)})
	t.Cleanup(c.Close)
	return c, func() []string {
		c.Close()
		proxy.Close()
		close(asked)
		var all []string
		for one := range asked {
			all = append(all, one)
		}
		return all
	}
}

func TestProxy(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	for _, test := range []struct {
		server, host string
		want         string // a part of the refusal; "" if the proxy is asked
	}{
		{"https://mcp.example.com", "example.com", ""},
		{"https://mcp.example.com", "unknown.example.com", ""},
		{"https://mcp.example.com", "inside.example.com", "a private network"},
		{"https://mcp.example.com", "both.example.com", "a private network"},
		{"https://mcp.example.com", "10.0.0.1", "a private network"},
		{"https://mcp.example.com", "[fd00::1]", "a private network"},
		{"https://mcp.example.com", "169.254.169.254", "this network segment"},
		{"https://mcp.example.com", "0.0.0.0", "no server can be"},
		{"https://mcp.office.example", "inside.example.com", ""},
	} {
		c, asked := proxied(t, server, test.server)
		resolveWith(t, c, map[string][][]string{
			"mcp.example.com":    {{"93.184.216.34"}},
			"mcp.office.example": {{"10.3.3.3"}},
			"example.com":        {{"93.184.216.34"}},
			"inside.example.com": {{"10.1.1.1"}},
			"both.example.com":   {{"93.184.216.34", "10.1.1.1"}},
		})
		_, _, _, err := c.Get(t.Context(), "https://"+test.host+"/x", nil)
		got := asked()
		if test.want != "" {
			wantRefused(t, err, test.want)
			if len(got) > 0 {
				t.Errorf("%s: the proxy was asked for %q", test.host, got)
			}
			continue
		}
		// What is not in the certificate fails behind the proxy, which is far enough.
		if want := []string{"CONNECT " + test.host + ":443"}; !slices.Equal(got, want) {
			t.Errorf("%s: the proxy was asked for %q, want %q (%v)", test.host, got, want, err)
		}
	}
}

// Behind some proxies a name far away is never answered for.
func TestProxyWithoutNames(t *testing.T) {
	// What package net keeps of the system's resolver is made by the first who asks,
	// and is no part of the bubble then: the tests behind this one ask, too.
	_, _ = (&net.Resolver{PreferGo: true}).LookupHost(t.Context(), "localhost")
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(&url.URL{Scheme: "https", Host: "mcp.example.com"}, nil)
		c.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		start := time.Now()
		if err := c.checkHost(t.Context(), "auth.example.com"); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("the name is waited for %v, want 2s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.checkHost(ctx, "auth.example.com"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that of the context", err)
		}
	})
}

// The proxy that was found when the host was checked is the one that is used.
func TestProxyIsAskedForOnce(t *testing.T) {
	var calls atomic.Int32
	server, c := serve(t, false, "", func(http.ResponseWriter, *http.Request) {})
	c.proxy = func(*http.Request) (*url.URL, error) {
		calls.Add(1)
		return url.Parse(server.URL)
	}
	if _, _, _, err := c.Get(t.Context(), server.URL, nil); err != nil {
		t.Error(err)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the proxy was looked up %d times, want 1", n)
	}
	req, err := http.NewRequest(http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.proxied.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	wantRefused(t, err, "has lost its way")
}

func TestErrorsCanBePrinted(t *testing.T) {
	err := newFetchError("https://auth.example.com/?q=SECRET", &url.Error{Op: "Get", URL: "https://auth.example.com/?q=SECRET", Err: errors.New("bad \x1b]0;x\a name")})
	if want := `fetching "https://auth.example.com/": bad �]0;x� name`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
