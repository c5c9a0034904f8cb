package guard

import (
	"encoding/binary"
	"net/netip"
)

// A class is where an address leads. Of a class that is not public, weir goes to
// addresses only if the configured server has one of the same class.
type class uint8

const (
	public      class = iota
	thisMachine       // loopback
	private           // RFC 1918, unique local, and what translates into networks that cannot be seen
	shared            // RFC 6598: a provider's network, or a VPN that uses its addresses
	link              // this network segment; 169.254.169.254 tells machines of a cloud their secrets
	benchmark         // RFC 2544; some local proxies answer every name with one of these
	never             // multicast, unspecified, documentation, reserved: no server is there
)

func (c class) String() string {
	switch c {
	case thisMachine:
		return "this machine"
	case private:
		return "a private network"
	case shared:
		return "a network that is not public"
	case link:
		return "this network segment"
	case benchmark:
		return "a network for tests"
	case never:
		return "where no server can be"
	default:
		return "the internet"
	}
}

// A block is a range of addresses of one class.
type block struct {
	prefix netip.Prefix
	class  class
}

// The blocks of the IANA registries of special-purpose addresses (RFC 6890). None
// lies within another.
var (
	blocks4 = makeBlocks(map[string]class{
		"0.0.0.0/8":       never, // "this network"; connects to this machine on some systems
		"10.0.0.0/8":      private,
		"100.64.0.0/10":   shared,
		"127.0.0.0/8":     thisMachine,
		"169.254.0.0/16":  link,
		"172.16.0.0/12":   private,
		"192.0.0.0/24":    never,
		"192.0.2.0/24":    never,
		"192.88.99.0/24":  never,
		"192.168.0.0/16":  private,
		"198.18.0.0/15":   benchmark,
		"198.51.100.0/24": never,
		"203.0.113.0/24":  never,
		"224.0.0.0/4":     never,
		"240.0.0.0/4":     never,
	})
	blocks6 = makeBlocks(map[string]class{
		"::1/128":        thisMachine,
		"64:ff9b:1::/48": private, // RFC 8215: into whatever the network's owner likes
		"fc00::/7":       private,
		"fec0::/10":      private, // what came before fc00::/7
		"fe80::/10":      link,
		"2001::/23":      never, // Teredo and other protocols of their own
		"2001:db8::/32":  never,
		"3fff::/20":      never,
	})
	global6 = netip.MustParsePrefix("2000::/3") // all that is given out
)

// embedding are the blocks whose addresses stand for IPv4 addresses, and the
// byte where those begin.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated (RFC 2765)
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056)
}

func makeBlocks(classes map[string]class) []block {
	blocks := make([]block, 0, len(classes))
	for text, class := range classes {
		blocks = append(blocks, block{netip.MustParsePrefix(text), class})
	}
	return blocks
}

// classOf returns where an address leads.
func classOf(addr netip.Addr) class {
	addr = addr.WithZone("").Unmap()
	if addr.Is4() {
		return lookUp(blocks4, addr, public)
	}
	for _, e := range embedding {
		if e.prefix.Contains(addr) {
			bytes := addr.As16()
			return classOf(netip.AddrFrom4([4]byte(bytes[e.at : e.at+4])))
		}
	}
	if isISATAP(addr) {
		bytes := addr.As16()
		if inner := classOf(netip.AddrFrom4([4]byte(bytes[12:]))); inner != public {
			return inner
		}
	}
	otherwise := never
	if global6.Contains(addr) {
		otherwise = public
	}
	return lookUp(blocks6, addr, otherwise)
}

func lookUp(blocks []block, addr netip.Addr, otherwise class) class {
	for _, b := range blocks {
		if b.prefix.Contains(addr) {
			return b.class
		}
	}
	return otherwise
}

// isISATAP reports whether the last half of an address says that it holds an
// IPv4 address (RFC 5214, section 6.1).
func isISATAP(addr netip.Addr) bool {
	bytes := addr.As16()
	return binary.BigEndian.Uint32(bytes[8:])&^0x0200_0000 == 0x5efe
}
