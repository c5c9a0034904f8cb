package guard

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"
)

// The limits of what is fetched.
const (
	fetchTime    = 10 * time.Second // of Get, redirects included
	clientTime   = 30 * time.Second // of a request of HTTP: some token endpoints take their time
	connectTime  = 10 * time.Second
	lookupTime   = 2 * time.Second // of a name that is for a proxy
	idleTime     = 15 * time.Second
	maxBody      = 1 << 20
	maxHeader    = 64 << 10
	maxRedirects = 3
)

var errTooSlow = fmt.Errorf("no answer within %v: %w", fetchTime, context.DeadlineExceeded)

// A Client fetches for the sake of one configured server, which decides where
// else it may go: see the package. It is safe for concurrent use. It keeps
// connections open for a few seconds; Close ends them at once.
type Client struct {
	host  string // of the configured server, canonical
	local bool   // host is this machine by its text

	direct   *http.Transport // checks every address that it connects to
	proxied  *http.Transport // goes to the proxy in the request's context
	proxy    func(*http.Request) (*url.URL, error)
	resolver *net.Resolver

	fetcher *http.Client
	client  *http.Client
}

// NewClient returns a Client for the sake of the server at a URL (of http, https,
// ws or wss). TLS settings and the proxy are base's; nil is the system's roots
// and the environment's proxy. base itself is not used: how it dials does not
// count.
func NewClient(server *url.URL, base *http.Transport) *Client {
	c := &Client{host: canonicalHost(server.Hostname()), resolver: net.DefaultResolver}
	c.local = isThisMachine(c.host)
	if base == nil {
		base = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	c.proxy = base.Proxy
	c.direct = limited(base)
	c.direct.DialContext = c.dial
	c.proxied = limited(base)
	c.proxied.Proxy = chosenProxy
	c.fetcher = &http.Client{Transport: c, CheckRedirect: c.checkRedirect}
	c.client = &http.Client{Transport: c, CheckRedirect: c.checkRedirect, Timeout: clientTime}
	return c
}

// limited is a transport like base, with the limits of this package, and none of
// base's ways to dial.
func limited(base *http.Transport) *http.Transport {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: connectTime}).DialContext,
		TLSHandshakeTimeout:    connectTime,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // what is counted is what came
		ProxyConnectHeader:     base.ProxyConnectHeader.Clone(),
		GetProxyConnectHeader:  base.GetProxyConnectHeader,
	}
	if base.TLSClientConfig != nil {
		t.TLSClientConfig = base.TLSClientConfig.Clone()
	}
	return t
}

// Get fetches a URL: within 10 s, following at most 3 redirects to where it is
// Allowed, and never from https to http. An answer of any status is no error; one
// whose body is over 1 MiB is a *TooLargeError. The errors name the URL without
// its query.
func (c *Client) Get(ctx context.Context, address string, header http.Header) (status int, answered http.Header, body []byte, err error) {
	u, err := c.parse(address)
	if err != nil {
		return 0, nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	status, answered, body, err = c.fetch(bounded, u, header)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = errTooSlow
	}
	if err != nil {
		return 0, nil, nil, newFetchError(address, err)
	}
	return status, answered, body, nil
}

func (c *Client) fetch(ctx context.Context, u *url.URL, header http.Header) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return 0, nil, nil, err
	}
	maps.Copy(req.Header, header)
	resp, err := c.fetcher.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

// HTTP returns a client with the same checks and limits, but for the time: 30 s
// a request. What it follows are redirects of GET; a POST comes back with the
// redirect as its answer. Its errors name the whole URL.
func (c *Client) HTTP() *http.Client { return c.client }

// Close ends the connections that wait for further use. The Client stays usable.
func (c *Client) Close() {
	c.direct.CloseIdleConnections()
	c.proxied.CloseIdleConnections()
}

// CloseIdleConnections is Close, for [http.Client].
func (c *Client) CloseIdleConnections() { c.Close() }

// RoundTrip sends one request, redirects not followed, if its URL is Allowed and
// leads where weir may go.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.send(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

func (c *Client) send(req *http.Request) (*http.Response, error) {
	proxy, err := c.route(req)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	ctx := req.Context()
	if proxy != nil {
		ctx = context.WithValue(ctx, proxyKey{}, proxy)
	}
	req = req.Clone(ctx)
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "weir")
	}
	if proxy != nil {
		return c.proxied.RoundTrip(req)
	}
	return c.direct.RoundTrip(req)
}

// route judges a request and returns the proxy that it goes through; nil for none.
func (c *Client) route(req *http.Request) (*url.URL, error) {
	if _, err := c.parse(req.URL.String()); err != nil {
		return nil, err
	}
	if c.proxy == nil {
		return nil, nil
	}
	proxy, err := c.proxy(req)
	if err != nil || proxy == nil {
		return nil, err
	}
	return proxy, c.checkHost(req.Context(), req.URL.Hostname())
}

type proxyKey struct{}

// chosenProxy returns the proxy that route has found: to ask again might have
// another answer, and a request without a proxy would go out unchecked.
func chosenProxy(req *http.Request) (*url.URL, error) {
	proxy, ok := req.Context().Value(proxyKey{}).(*url.URL)
	if !ok {
		return nil, &RefusedError{URL: Bare(req.URL.String()), Reason: "has lost its way to the proxy"}
	}
	return proxy, nil
}

// checkRedirect follows only where nothing but the place changes.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	target := req.URL.String()
	if len(via) > maxRedirects {
		return &RefusedError{URL: Bare(target), Reason: "is one redirect too many"}
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return &RefusedError{URL: Bare(target), Reason: "is where a redirect leaves https"}
	}
	for _, name := range []string{"Authorization", "Cookie", "Referer"} {
		req.Header.Del(name)
	}
	return c.Allowed(target)
}

// dial connects to a host, if every address that it tries is one to go to. The
// dialer tries the next address after one that is refused.
func (c *Client) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	home := c.home(ctx)
	dialer := &net.Dialer{
		Timeout:  connectTime,
		Resolver: c.resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return c.checkAddress(host, to.Addr(), home)
		},
	}
	return dialer.DialContext(ctx, network, hostPort)
}

// checkHost judges a host that a proxy is going to resolve, by what it is here.
// One that is not known here is not inside. Where names far away are left to the
// proxy, asking for them may hang instead of failing.
func (c *Client) checkHost(ctx context.Context, host string) error {
	bounded, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addrs, err := c.resolve(bounded, host)
	if err != nil {
		return ctx.Err()
	}
	home := c.home(ctx)
	for _, addr := range addrs {
		if err := c.checkAddress(host, addr, home); err != nil {
			return err
		}
	}
	return nil
}

// checkAddress judges an address of a host. home returns the classes of the
// configured server's addresses.
func (c *Client) checkAddress(host string, addr netip.Addr, home func() []class) error {
	to := classOf(addr)
	named := isThisMachine(canonicalHost(host))
	switch {
	case named && to != thisMachine:
		return &RefusedError{URL: Printable(host), Reason: "names this machine but points elsewhere"}
	case named && c.local, to == public:
		return nil
	case to == never:
		return &RefusedError{URL: Printable(host), Reason: "points " + to.String()}
	case !named && slices.Contains(home(), to):
		return nil
	}
	return &RefusedError{
		URL:    Printable(host),
		Reason: "points into " + to.String() + "; weir goes there only if the server itself is there",
	}
}

// home resolves the configured server's host, when it is first called.
func (c *Client) home(ctx context.Context) func() []class {
	return sync.OnceValue(func() []class {
		addrs, err := c.resolve(ctx, c.host)
		if err != nil {
			return nil
		}
		classes := make([]class, len(addrs))
		for i, addr := range addrs {
			classes[i] = classOf(addr)
		}
		return classes
	})
}

func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	return c.resolver.LookupNetIP(ctx, "ip", host)
}

// body ends with an error what is longer than left.
type body struct {
	io.ReadCloser
	left int64
}

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &TooLargeError{Limit: maxBody}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, &TooLargeError{Limit: maxBody}
	}
	return n, err
}
