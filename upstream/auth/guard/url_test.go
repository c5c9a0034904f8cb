package guard

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode"
)

func newClient(t *testing.T, server string) *Client {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(u, nil)
	t.Cleanup(c.Close)
	return c
}

func TestAllowed(t *testing.T) {
	const far, near = "https://mcp.example.com/mcp", "http://localhost:8000/mcp"
	for _, test := range []struct {
		address, server string
		want            string // a part of the reason; "" if it is allowed
	}{
		{"https://auth.example.com", far, ""},
		{"HTTPS://AUTH.example.com:8443/a/b?c=d&e", far, ""},
		{"https://auth.example.com./x", far, ""},
		{"https://93.184.216.34/", far, ""},
		{"https://[2606:4700::1]:443/", far, ""},
		{"https://xn--bcher-kva.example/", far, ""},
		{"https://a_b.example.com/", far, ""},
		{"https://auth.example.com/%2e%2e/x", far, ""},

		{"", far, "does not begin with https://"},
		{"/.well-known/x", far, "does not begin with https://"},
		{"//auth.example.com/x", far, "does not begin with https://"},
		{"auth.example.com", far, "does not begin with https://"},
		{"javascript:alert(1)", far, "does not begin with https://"},
		{"data:text/html,x", far, "does not begin with https://"},
		{"file:///etc/passwd", far, "does not begin with https://"},
		{"ftp://auth.example.com/", far, "does not begin with https://"},
		{"wss://auth.example.com/", far, "does not begin with https://"},
		{"https:auth.example.com", far, "names no host"},
		{"https:///x", far, "names no host"},
		{"https://:443/x", far, "names no host"},
		{"https://./x", far, "names no host"},
		{"https://user@auth.example.com/", far, "name or password"},
		{"https://user:pass@auth.example.com/", far, "name or password"},
		{"https://@auth.example.com/", far, "name or password"},
		{"https://auth.example.com/#x", far, "fragment"},
		{"https://auth.example.com/#", far, "fragment"},
		{"https://auth.example.com:0/", far, "port"},
		{"https://auth.example.com:65536/", far, "port"},
		{"https://auth.example.com:x/", far, "is no URL"},
		{"https://auth.example.com/\x00", far, "is no URL"},
		{"https://auth.example.com/\n", far, "is no URL"},
		{"https://auth.exa mple.com/", far, "is no URL"},
		{"https://good.example.com\\@evil.example.com/", far, "is no URL"},
		{"https://b\u00fccher.example/", far, "characters"},
		{"https://\uff11\uff12\uff17.0.0.1/", far, "characters"},
		{"https://auth\u3002example.com/", far, "characters"},
		{"https://auth.example.com%2f.evil.com/", far, "is no URL"},
		{"https://" + strings.Repeat("a", 5000), far, "is longer than"},
		{"https://[fe80::1%25eth0]/", far, "network interface"},
		{"https://0x7f.1/", far, "form that is not usual"},
		{"https://0x7F000001/", far, "form that is not usual"},
		{"https://2130706433/", far, "form that is not usual"},
		{"https://0177.0.0.1/", far, "form that is not usual"},
		{"https://127.1/", far, "form that is not usual"},
		{"https://1.2.3.4.5/", far, "form that is not usual"},
		{"https://a.example.0x/", far, "form that is not usual"},
		{"https://evil..", far, "form that is not usual"},

		{"http://auth.example.com/", far, "plain http"},
		{"http://10.0.0.1/", far, "plain http"},
		{"http://169.254.169.254/latest", far, "plain http"},
		{"http://localhost/", far, "points into this machine"},
		{"https://localhost/", far, "points into this machine"},
		{"https://LOCALHOST./", far, "points into this machine"},
		{"https://a.localhost/", far, "points into this machine"},
		{"https://127.0.0.1/", far, "points into this machine"},
		{"https://127.8.8.8./", far, "points into this machine"},
		{"https://[::1]/", far, "points into this machine"},
		{"https://[::ffff:127.0.0.1]/", far, "points into this machine"},
		{"https://[::ffff:7f00:1]/", far, "points into this machine"},
		{"https://[64:ff9b::7f00:1]/", far, "points into this machine"},

		{"http://localhost:9000/", near, ""},
		{"http://127.0.0.1:9000/x", near, ""},
		{"http://[::1]:9000/x", near, ""},
		{"http://a.localhost/", "http://127.0.0.1/mcp", ""},
		{"http://127.0.0.1/", "ws://[::1]:1/mcp", ""},
		{"https://auth.example.com/", near, ""},
		{"http://auth.example.com/", near, "plain http"},
		{"http://0.0.0.0:9000/", near, "plain http"},
		{"http://notlocalhost/", near, "plain http"},
		{"http://localhost.example.com/", near, "plain http"},
		{"http://user@localhost/", near, "name or password"},
	} {
		err := newClient(t, test.server).Allowed(test.address)
		if test.want == "" {
			if err != nil {
				t.Errorf("Allowed(%q) = %v, want nil", test.address, err)
			}
			continue
		}
		refused, ok := errors.AsType[*RefusedError](err)
		if !ok || !strings.Contains(refused.Reason, test.want) {
			t.Errorf("Allowed(%q) = %v, want a refusal that says %q", test.address, err, test.want)
		}
	}
}

func TestBareHidesWhatMayBeSecret(t *testing.T) {
	for _, test := range []struct{ address, want string }{
		{"https://auth.example.com/a?key=SECRET#SECRET", "https://auth.example.com/a"},
		{"https://SECRET:SECRET@auth.example.com/a@b", "https://auth.example.com/a@b"},
		{"https://SECRET@SECRET@auth.example.com", "https://auth.example.com"},
		{"https://auth.example.com?SECRET@x/", "https://auth.example.com"},
		{"https://auth.example.com/\x1b[31m\u202e\n", "https://auth.example.com/\ufffd[31m\ufffd\ufffd"},
		{"no url\xff", "no url\ufffd"},
		{strings.Repeat("ü", 300), strings.Repeat("ü", 200) + "…"},
		{strings.Repeat("ü", 200), strings.Repeat("ü", 200)},
	} {
		if got := Bare(test.address); got != test.want {
			t.Errorf("Bare(%q) = %q, want %q", test.address, got, test.want)
		}
	}
}

// FuzzAllowed holds what is allowed against readers of URLs that are less strict.
func FuzzAllowed(f *testing.F) {
	for _, seed := range []string{
		"https://auth.example.com/a?b=c", "http://localhost:1/", "https://127.1/", "https://[::1%25lo]/", "https://a@b/", "https://0x7f.1", "https:\\\\a", "//x",
		"https://\uff11.1", "https://a:99999/", "http://LOCALHOST.:80/#",
	} {
		f.Add(seed)
	}
	server, err := url.Parse("https://mcp.example.com/mcp")
	if err != nil {
		f.Fatal(err)
	}
	far := NewClient(server, nil)
	near := NewClient(&url.URL{Scheme: "http", Host: "localhost"}, nil)
	f.Fuzz(func(t *testing.T, address string) {
		if err := near.Allowed(address); err != nil {
			if far.Allowed(address) == nil {
				t.Fatalf("%q is allowed from afar, but not from near: %v", address, err)
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("the error for %q cannot be printed: %q", address, err)
			}
			return
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatalf("%q is allowed: %v", address, err)
		}
		if u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Hostname() == "" || strings.Contains(address, "#") {
			t.Fatalf("%q is allowed", address)
		}
		if far.Allowed(address) != nil {
			return
		}
		if u.Scheme != "https" {
			t.Fatalf("%q is allowed from afar", address)
		}
		addr, err := netip.ParseAddr(canonicalHost(u.Hostname()))
		if err == nil && (addr.Unmap().IsLoopback() || addr.Zone() != "") {
			t.Fatalf("%q is allowed from afar", address)
		}
	})
}
