package upstream

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/weir-mcp/weir/upstream/customtools"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/process"
	"github.com/weir-mcp/weir/upstream/transport"
)

// resolveTime is how long the references of one server may take to be read.
const resolveTime = 10 * time.Second

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = DefaultConnectTimeout
	}
	if c.ListTimeout == 0 {
		c.ListTimeout = DefaultListTimeout
	}
	if c.MessageLimit == 0 {
		c.MessageLimit = DefaultMessageLimit
	}
	return c
}

// resolved reads the references that are left for connect time.
func (c Config) resolved(ctx context.Context) (Config, error) {
	if c.Resolve == nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	var err error
	read := func(text string) string {
		if err != nil {
			return ""
		}
		text, err = c.Resolve(ctx, text)
		return text
	}
	c.URL = read(c.URL)
	args := make([]string, len(c.Args))
	for i, arg := range c.Args {
		args[i] = read(arg)
	}
	c.Args = args
	c.Env = readAll(c.Env, read)
	c.Headers = readAll(c.Headers, read)
	return c, err
}

func readAll(values map[string]string, read func(string) string) map[string]string {
	out := make(map[string]string, len(values))
	for key, value := range values {
		out[key] = read(value)
	}
	return out
}

// A Dialer opens connections of one transport. recv may be called before the
// Dialer returns. The error of a connection that could not be made at all is a
// [*transport.DialError].
type Dialer func(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error)

// A dialer is a Dialer that may know more of the connection.
type dialer func(ctx context.Context, cfg Config, c *connection) (transport.Conn, error)

func plain(d Dialer) dialer {
	return func(ctx context.Context, cfg Config, c *connection) (transport.Conn, error) { return d(ctx, cfg, c) }
}

// dial opens the transport.
func (c *connection) dial(ctx context.Context, cfg Config) error {
	dialer := c.u.set.dialers[cfg.Transport]
	if dialer == nil {
		return ConfigurationError{&Fault{
			Server: cfg.Name, Text: fmt.Sprintf("weir knows no transport %q", cfg.Transport), Hint: seeServers,
		}}
	}
	defer close(c.dialled)
	t, err := dialer(ctx, cfg, c)
	if err != nil {
		return err
	}
	c.t = t
	return nil
}

// dialStdio starts the server as a child process.
func (s *Set) dialStdio(ctx context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
	env := process.Environment(process.EnvSpec{
		Own: s.process.Environ, Inherit: cfg.InheritEnv, InheritAll: cfg.InheritAll,
		Set: cfg.Env, Weir: s.process.Weir,
	})
	program, env, err := s.finder.Find(ctx, cfg.Command, env)
	if err != nil {
		return nil, &transport.DialError{Err: err}
	}
	s.log.Info().Str("upstream", cfg.Name).Str("program", program).Msg("starting")
	spec := process.Spec{Path: program, Args: cfg.Args, Env: env, Dir: cfg.Dir}
	child, err := transport.NewStdio(spec, s.guardian, recv, cfg.MessageLimit)
	if err != nil {
		return nil, err
	}
	return child, nil
}

func dialHTTP(ctx context.Context, cfg Config, c *connection) (transport.Conn, error) {
	config, err := httpConfig(ctx, cfg, c)
	if err != nil {
		return nil, err
	}
	return transport.NewStreamable(config, c), nil
}

func dialSSE(ctx context.Context, cfg Config, c *connection) (transport.Conn, error) {
	config, err := httpConfig(ctx, cfg, c)
	if err != nil {
		return nil, err
	}
	conn, err := transport.DialSSE(ctx, config, c)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func httpConfig(ctx context.Context, cfg Config, c *connection) (transport.HTTPConfig, error) {
	rt, err := c.roundTripper(ctx, transport.NewRoundTripper())
	return transport.HTTPConfig{
		URL: cfg.URL, Header: header(cfg.Headers), RoundTripper: rt, Limit: cfg.MessageLimit,
	}, err
}

func dialWebSocket(ctx context.Context, cfg Config, c *connection) (transport.Conn, error) {
	conn, err := transport.DialWebSocket(ctx, transport.WebSocketConfig{
		URL: cfg.URL, Header: header(cfg.Headers), Authenticate: c.roundTripper,
		Subprotocol: cfg.Subprotocol, Limit: cfg.MessageLimit,
	}, c)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// dialCustom serves tools of the user's own. Their secrets are read with each
// call.
func (s *Set) dialCustom(_ context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
	return customtools.Dial(cfg.CustomTools, customtools.Processes{
		Guardian: s.guardian, Finder: s.finder, Environ: s.process.Environ, Weir: s.process.Weir,
	}, cfg.Resolve, recv, cfg.MessageLimit), nil
}

func header(values map[string]string) http.Header {
	h := make(http.Header, len(values))
	for name, value := range values {
		h.Set(name, value)
	}
	return h
}

// paramHeaders computes the Mcp-Param-* headers of a tool call from its
// arguments (2026-07-28, Streamable HTTP, x-mcp-header).
func paramHeaders(call *Call) http.Header {
	definition, err := jsonrpc.ParseObject(nil, call.Definition)
	if err != nil {
		return nil
	}
	params, err := transport.ParseParamHeaders(jsonrpc.Find(definition, "inputSchema"))
	if err != nil {
		return nil // such a tool is not listed; its call goes out without
	}
	return params.Header(jsonrpc.Find(call.Params, "arguments"))
}
