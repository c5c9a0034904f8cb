package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/doctor"
	"github.com/weir-mcp/weir/internal/formats"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/process"
)

// servers starts all of them at once, unless only what is stored counts, and finds
// out how they are and what they have.
func (c *checkup) servers(ctx context.Context) error {
	if c.file == nil {
		return nil
	}
	seen := *c.file
	if seen.Denied != "" {
		seen.Policy, seen.Denied = policy.AllowAll(), "" // servers can be looked at all the same
	}
	words := &lastWords{said: map[string]string{}}
	cfg := c.aggregatorConfig(&seen, zerolog.New(withoutSecrets(words)))
	if cfg.Notice != "" {
		if len(c.file.Servers) > 0 {
			c.facts.Config.Notice = cfg.Notice
		}
		return nil
	}
	cfg.Store = openStore(ctx, zerolog.Nop())
	cfg.Patience = min(longest(cfg.Servers), c.o.timeout)
	for _, s := range cfg.Servers {
		c.keys = append(c.keys, listKey{s.Name, s.Identity})
	}
	if c.o.offline {
		onlyStored(&cfg)
	} else {
		cfg.MaxAge = time.Nanosecond
	}
	began := time.Now()
	g, err := c.openGateway(ctx, cfg)
	if err != nil {
		return err
	}
	defer g.close()
	times := &startTimes{began: began, connected: map[string]time.Duration{}, listed: map[string]time.Duration{}}
	statuses, err := c.waitForServers(ctx, g, cfg.Patience, times.note)
	if err != nil {
		return err
	}
	changes, unreadable := g.aggregator.PinChanges()
	if unreadable != nil {
		c.facts.Config.Warnings = append(c.facts.Config.Warnings, unreadable.Error())
	}
	for i, s := range statuses {
		c.facts.Servers = append(c.facts.Servers, c.server(&c.file.Servers[i], s, times, words))
	}
	for _, change := range changes {
		for i := range c.facts.Servers {
			if s := &c.facts.Servers[i]; s.Name == change.Server {
				s.Changed++
				s.Withheld = s.Withheld || change.Withheld
			}
		}
	}
	c.lint(g.aggregator.Items())
	return c.tools(ctx, g)
}

// startTimes are how long servers took.
type startTimes struct {
	began             time.Time
	connected, listed map[string]time.Duration
}

// note takes down how far a server is, and reports whether it has listed.
func (t *startTimes) note(s aggregator.ServerStatus) bool {
	after := time.Since(t.began)
	if _, known := t.connected[s.Name]; !known && s.State == upstream.Ready {
		t.connected[s.Name] = after
	}
	if s.Fetched.After(t.began) {
		if _, known := t.listed[s.Name]; !known {
			t.listed[s.Name] = after
		}
		return true
	}
	return false
}

// server is what is known of one.
func (c *checkup) server(configured *config.Server, status aggregator.ServerStatus, times *startTimes, words *lastWords) doctor.Server {
	line := newServerLine(status, times.began)
	s := doctor.Server{
		Name: line.Name, Transport: line.Transport, State: line.State, Prefix: configured.Prefix, Disabled: configured.Disabled,
		Era: line.Era, Protocol: line.Protocol, Version: line.Version,
		Tools: line.Tools, Prompts: line.Prompts, Resources: line.Resources, Cleaned: line.Cleaned,
		Connected: times.connected[line.Name], Listed: times.listed[line.Name],
		Error: line.Error, ListAge: line.ListAge,
		Address: string(configured.Identity),
	}
	if c.o.offline {
		s.State, s.Error = "not asked", ""
		if configured.Broken != nil {
			s.Error, s.Cause = configured.Broken.Error(), doctor.ByConfig
		}
	}
	switch {
	case s.Disabled:
		s.State, s.Error, s.Cause = string(upstream.Disabled), "", ""
	case c.o.offline:
	case s.Error != "":
		s.Cause = causeOf(status)
		s.Said = words.of(s.Name)
	}
	return s
}

// causeOf says what sort of error keeps a server from being used.
func causeOf(s aggregator.ServerStatus) doctor.Cause {
	err := s.Reason
	switch {
	case s.State == upstream.NeedsLogin:
		return doctor.ByLogin
	case err == nil:
		return doctor.ByTime
	}
	if _, ok := errors.AsType[*process.FindError](err); ok {
		return doctor.ByProgram
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return doctor.ByCertificate
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return doctor.ByCertificate
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return doctor.ByName
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return doctor.ByRefusal
	}
	failure, ok := errors.AsType[upstream.Failure](err)
	if !ok {
		return ""
	}
	switch failure.Kind() {
	case upstream.KindConfiguration:
		return doctor.ByConfig
	case upstream.KindTimeout:
		return doctor.ByTime
	case upstream.KindAuthentication, upstream.KindAuthorization:
		return doctor.ByCredentials
	case upstream.KindTransport:
		return doctor.ByAddress
	case upstream.KindProtocol, upstream.KindSerialization:
		return doctor.ByProtocol
	case upstream.KindConnection:
		if s.Transport == upstream.Stdio {
			return doctor.ByEnd
		}
	default:
	}
	return ""
}

// tools takes down what hosts are offered, and what that costs.
func (c *checkup) tools(ctx context.Context, g *gateway) error {
	listed, err := g.host.listTools(ctx)
	if err != nil {
		return err
	}
	definitions, _ := formats.Style{API: formats.Anthropic}.Define(formatTools(listed))
	for i, tool := range listed {
		e, _ := g.aggregator.Explain(aggregator.Use{Kind: catalog.Tools, Name: tool.Name})
		t := doctor.Tool{
			Server: e.Server, Name: e.Name, Exposed: tool.Name, Made: c.isMade(e, tool.Name),
			Definition: tool.Raw, Tokens: formats.Tokens(definitions[i].Raw),
		}
		c.facts.Tools = append(c.facts.Tools, t)
		for k := range c.facts.Servers {
			if c.facts.Servers[k].Name == t.Server {
				c.facts.Servers[k].Tokens += t.Tokens
			}
		}
	}
	return nil
}

// isMade reports whether weir had to make an exposed name.
func (c *checkup) isMade(e aggregator.Explanation, exposed string) bool {
	i := slices.IndexFunc(c.file.Servers, func(s config.Server) bool { return s.Name == e.Server })
	if i < 0 {
		return false // weir's own are never too long
	}
	s := namespace.Server{Name: e.Server, Prefix: c.file.Servers[i].Prefix}
	return exposed == namespace.Hashed(c.file.Names, s, e.Name)
}

// lastWords keep the last line that each server has written to its stderr. It reads
// the log, each write being one event.
type lastWords struct {
	mu   sync.Mutex
	said map[string]string // guarded by mu
}

// maxWords is how many characters of a line are kept.
const maxWords = 160

// Write implements io.Writer.
func (w *lastWords) Write(line []byte) (int, error) {
	members, err := jsonrpc.ParseObject(nil, line)
	if err != nil {
		return len(line), nil // no event of a server's
	}
	if said := oneLine(textOf(members, "stderr"), maxWords); said != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.said[textOf(members, "upstream")] = said
	}
	return len(line), nil
}

func (w *lastWords) of(server string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said[server]
}
