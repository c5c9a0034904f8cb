package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/demo"
)

// demoDeadline is far longer than the demo takes anywhere.
const demoDeadline = 30 * time.Second

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See weir work, with two built-in servers",
		Long: `Start weir as a host would, with two built-in servers behind it: one a child
process on stdio, one on Streamable HTTP on this machine. List, call, be denied,
and see how long each step takes. It needs nothing but the binary and leaves
nothing behind.`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context()) },
	}
}

func (a *app) demo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoDeadline)
	defer cancel()
	folder, err := os.MkdirTemp("", "weir-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a folder for temporary files is its place
	url, stop, err := serveDemo(ctx)
	if err != nil {
		return err
	}
	defer stop()
	d := &demonstration{app: a, p: a.paint(), folder: folder, url: url}
	return d.run(ctx)
}

// serveDemo serves a demo server over HTTP on loopback.
func serveDemo(ctx context.Context) (url string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{
		Handler:           demo.New("weir-demo-http", version).Handler(),
		ReadHeaderTimeout: demoDeadline,
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with Close
	}()
	return "http://" + listener.Addr().String() + "/mcp", func() {
		_ = server.Close() // what is open is the demo's own
		<-ended
	}, nil
}

// A demonstration is one run of the demo.
type demonstration struct {
	*app
	p      paint
	folder string
	url    string
}

func (d *demonstration) run(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	config := filepath.Join(d.folder, "mcp.yaml")
	if err := os.WriteFile(config, demoConfig(program, d.url), 0o600); err != nil {
		return err
	}
	d.introduce()
	start := func() (*child, error) {
		return startChild(program, []string{"serve", "--config", config}, d.environment())
	}
	if err := d.first(ctx, start); err != nil {
		return err
	}
	if err := d.second(ctx, start); err != nil {
		return err
	}
	fmt.Fprintf(d.Stdout, "\n%s put your servers into mcp.yaml, see them with %s,\n"+
		"and give weir to your assistant: the README has the entry for each.\n",
		d.p.bold("Next:"), d.p.bold("weir tools"))
	return nil
}

// demoConfig is the mcp.yaml of the demo. A YAML string in double quotes is
// written like one of JSON.
func demoConfig(program, url string) []byte {
	return fmt.Appendf(nil, `servers:
  desk: {command: %s, args: [demo-server]}
  web: {url: %s}
policy:
  default: execute
  rules:
    - {server: "*", tool: "delete_*", level: deny}
`, quoted(program), quoted(url))
}

// environment is that of a user whose home is the demo's folder: what weir
// stores ends up there.
func (d *demonstration) environment() []string {
	var env []string
	for _, entry := range d.Environ {
		if !strings.HasPrefix(entry, "WEIR_") && !strings.HasPrefix(entry, "XDG_") {
			env = append(env, entry)
		}
	}
	return append(env, "HOME="+d.folder, "LocalAppData="+d.folder, "AppData="+d.folder)
}

func (d *demonstration) introduce() {
	fmt.Fprintf(d.Stdout, `%s

  this demo ─ stdio ─ %s ─┬─ stdio ─ %s   a child process, "weir demo-server"
                            └─ HTTP ── %s    %s
  and a policy that denies delete_* everywhere

`, d.p.bold("One MCP server in front of two"), d.p.bold("weir"), d.p.cyan("desk"), d.p.cyan("web"), d.url)
}

// first is weir's first start: nothing is stored, every server is asked.
func (d *demonstration) first(ctx context.Context, start func() (*child, error)) error {
	began := time.Now()
	c, err := start()
	if err != nil {
		return err
	}
	defer c.stop()
	greeting, err := c.host.initialize(ctx)
	if err != nil {
		return c.explain(err)
	}
	d.step("start, initialize", time.Since(began))
	d.say("%s %s, protocol %s", greeting.Name, greeting.Version, greeting.Revision)
	if err := d.list(ctx, c, "tools/list", "both servers were started and asked, side by side"); err != nil {
		return c.explain(err)
	}
	for _, call := range []demoCall{
		{tool: "desk__echo", arguments: `{"text":"hello, weir"}`},
		{tool: "web__add", arguments: `{"a":19.5,"b":22.5}`},
		{tool: "web__slow", arguments: `{"seconds":0.5,"steps":5}`},
		{tool: "desk__fail", arguments: `{}`},
		{tool: "desk__delete_everything", arguments: `{}`, denied: true},
	} {
		if err := d.call(ctx, c, call); err != nil {
			return c.explain(err)
		}
	}
	return nil
}

// second starts weir again, as each new window of an assistant does.
func (d *demonstration) second(ctx context.Context, start func() (*child, error)) error {
	began := time.Now()
	c, err := start()
	if err != nil {
		return err
	}
	defer c.stop()
	if _, err := c.host.initialize(ctx); err != nil {
		return c.explain(err)
	}
	tools, err := c.host.listTools(ctx)
	if err != nil {
		return c.explain(err)
	}
	d.step("start again, initialize, tools/list", time.Since(began))
	d.say("%d tools from the stored lists: nobody had to be asked", len(tools))
	return nil
}

func (d *demonstration) list(ctx context.Context, c *child, what, remark string) error {
	began := time.Now()
	tools, err := c.host.listTools(ctx)
	if err != nil {
		return err
	}
	d.step(what, time.Since(began))
	d.say("%d tools; %s", len(tools), remark)
	for _, server := range []string{"desk__", "web__"} {
		var names []string
		for _, t := range tools {
			if strings.HasPrefix(t.Name, server) {
				names = append(names, printable(t.Name))
			}
		}
		if len(names) == 0 {
			return fmt.Errorf("listing tools: server %q has none", strings.TrimSuffix(server, "__"))
		}
		d.say("%s", d.p.cyan(strings.Join(names, " ")))
	}
	return nil
}

// A demoCall is a call and what is to come of it.
type demoCall struct {
	tool      string
	arguments string
	denied    bool
}

func (d *demonstration) call(ctx context.Context, c *child, call demoCall) error {
	began := time.Now()
	reports := 0
	result, err := c.host.callTool(ctx, call.tool, []byte(call.arguments), func([]byte) { reports++ })
	took := time.Since(began)
	refusal, refused := errors.AsType[*replyError](err)
	if refused != call.denied || err != nil && !refused {
		return fmt.Errorf("calling %s: %w", call.tool, errors.Join(err, errUnlessDenied(call)))
	}
	d.step("tools/call "+call.tool+" "+d.p.dim(call.arguments), took)
	switch {
	case refused:
		d.say("%s %s; as if it were not there", d.p.yellow("denied"), printable(refusal.Message))
	case result.IsError:
		d.say("%s %s", d.p.yellow("isError"), printable(result.text()))
	case reports > 0:
		d.say("%s, after %s", printable(result.text()), plural(reports, "progress report", "progress reports"))
	default:
		d.say("%s", d.p.green(printable(result.text())))
	}
	return nil
}

func errUnlessDenied(call demoCall) error {
	if call.denied {
		return errors.New("the policy was to deny it")
	}
	return nil
}

// stepColumn is where the times stand.
const stepColumn = 64

func (d *demonstration) step(what string, took time.Duration) {
	pad := max(1, stepColumn-visibleLength(what))
	fmt.Fprintf(d.Stdout, "%s %s%s%9s\n", d.p.green("▸"), what, strings.Repeat(" ", pad), milliseconds(took))
}

func (d *demonstration) say(format string, args ...any) {
	fmt.Fprintf(d.Stdout, "    "+format+"\n", args...)
}
