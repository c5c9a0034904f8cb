package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/aggregator"
)

// A permission is allow or deny.
type permission struct{ denied bool }

func (p *permission) decode(d *decoder, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Value != "allow" && n.Value != "deny" {
		d.fail(n, "want allow or deny")
		return
	}
	p.denied = n.Value == "deny"
}

// isDenied reports whether an absent permission, or p, denies.
func (p *permission) isDenied() bool { return p != nil && p.denied }

// A samplingPermission is allow, deny, or the limits within which it is allowed.
type samplingPermission struct {
	permission
	limits samplingLimits
}

type samplingLimits struct {
	Rate      *rate `yaml:"rate"`
	MaxBytes  *size `yaml:"max_bytes"`
	MaxTokens *int  `yaml:"max_tokens"`
}

func (p *samplingPermission) decode(d *decoder, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		d.permissionOrLimits(n, &p.permission)
		return
	}
	d.value(n, &p.limits)
	if b := p.limits.MaxBytes; b != nil && b.bytes == 0 {
		d.fail(n, "max_bytes: it must be more than nothing (deny allows none)")
	}
	if t := p.limits.MaxTokens; t != nil && *t <= 0 {
		d.fail(n, "max_tokens: it must be more than nothing (deny allows none)")
	}
}

func (d *decoder) permissionOrLimits(n *yaml.Node, p *permission) {
	if n.Kind == yaml.ScalarNode && (n.Value == "allow" || n.Value == "deny") {
		p.decode(d, n)
		return
	}
	d.fail(n, "want allow, deny, or limits such as {rate: 10/m, max_bytes: 64KiB, max_tokens: 4096}")
}

// A rate is so many in a second, minute or hour: 10/m.
type rate struct{ aggregator.Rate }

var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// maxRate is the largest count of a rate.
const maxRate = 1_000_000

func (r *rate) decode(d *decoder, n *yaml.Node) {
	count, unit, _ := strings.Cut(n.Value, "/")
	number, err := strconv.Atoi(strings.TrimSpace(count))
	per := rateUnits[strings.TrimSpace(unit)]
	if err != nil || number < 1 || number > maxRate || per == 0 || n.Kind != yaml.ScalarNode {
		d.fail(n, fmt.Sprintf("%q is not a rate (want a number of times a second, minute or hour, such as 1/s, 10/m or 100/h)", n.Value))
		return
	}
	*r = rate{aggregator.Rate{Count: number, Per: per}}
}

// questions is what the server may ask of hosts.
func (s *server) questions() (q aggregator.Questions) {
	q.NoElicitation, q.NoRoots = s.Elicitation.isDenied(), s.Roots.isDenied()
	if s.Sampling == nil {
		return q
	}
	q.NoSampling = s.Sampling.denied
	limits := &s.Sampling.limits
	if limits.Rate != nil {
		q.Sampling.Rate = limits.Rate.Rate
	}
	if limits.MaxBytes != nil {
		q.Sampling.MaxBytes = int(limits.MaxBytes.bytes)
	}
	if limits.MaxTokens != nil {
		q.Sampling.MaxTokens = *limits.MaxTokens
	}
	return q
}
