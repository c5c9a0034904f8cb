package guard

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const maxURL = 4 << 10

// Allowed reports why weir may not go to a URL, as far as its text tells: it must
// be https, or http within this machine if the configured server is there, with
// a host, and without user and fragment. The error is a *RefusedError. Where the
// host really is shows only when it is dialled.
//
// What a browser is to open must be Allowed as well.
func (c *Client) Allowed(address string) error {
	_, err := c.parse(address)
	return err
}

func (c *Client) parse(address string) (*url.URL, error) {
	refuse := func(reason string) (*url.URL, error) {
		return nil, &RefusedError{URL: Bare(address), Reason: reason}
	}
	if len(address) > maxURL {
		return refuse("is longer than " + strconv.Itoa(maxURL) + " bytes")
	}
	u, err := url.Parse(address)
	if err != nil {
		return refuse("is no URL")
	}
	if strings.Contains(address, "#") {
		return refuse("has a fragment (#)")
	}
	if reason := c.judge(u); reason != "" {
		return refuse(reason)
	}
	return u, nil
}

// judge says what is wrong with a URL; "" if nothing is.
func (c *Client) judge(u *url.URL) string {
	host := canonicalHost(u.Hostname())
	local := isThisMachine(host)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "does not begin with https://"
	case host == "":
		return "names no host"
	case u.User != nil:
		return "has a name or password in it"
	case u.Fragment != "":
		return "has a fragment (#)"
	case !isPort(u.Port()):
		return "has a port that cannot be"
	case u.Scheme == "http" && !local:
		return "would be asked over plain http, which is for this machine only (https is needed)"
	case local && !c.local:
		return "points into this machine; weir goes there only if the server itself is there"
	}
	return judgeHost(host)
}

// judgeHost says what is wrong with the form of a host. An address has one form:
// those that only some readers take for an address ("0x7f.1", "2130706433") are
// refused, and so is what other readers would map to other characters.
func judgeHost(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "names a network interface"
		}
		return ""
	}
	for _, c := range []byte(host) {
		if !isHostByte(c) {
			return "has a host with characters that cannot be in one (names in other scripts are written xn--…)"
		}
	}
	if last := host[strings.LastIndexByte(host, '.')+1:]; isNumber(last) {
		return "has a host that is an address in a form that is not usual"
	}
	return ""
}

func isHostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// isNumber reports whether the last label of a host makes readers that follow
// the URL Standard ("ends in a number") take the host for an IPv4 address.
func isNumber(label string) bool {
	if label == "" {
		return true
	}
	if rest, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func isPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n != 0
}

// canonicalHost is a host in lower case and without the dot that a full name may
// end in.
func canonicalHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// isThisMachine reports whether a host is this machine by its text alone (RFC
// 6761, 6.3 for names). The host is canonical.
func isThisMachine(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && classOf(addr) == thisMachine
}
