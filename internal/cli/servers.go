package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func (a *app) serversCommand() *cobra.Command {
	var asJSON, running bool
	cmd := &cobra.Command{
		Use:   "servers",
		Short: "Connect to every server and say how it went, or ask the weirs that run",
		Long: `Connect to every configured server, list all it has anew, and say how it went:
state, transport, protocol revision, version, numbers of tools, prompts and
resources, and for one that failed the reason and the age of the lists that
hosts are shown instead.

The exit code is 3 if some servers failed, 1 if all did.

With --live nothing is connected: the weirs that are running, each started by a
host, say how their servers are, since when and why, and what became of the calls
of each: how many, how many failed, and within what time half of them and 99 of
100 were answered.`,
		Example: `  weir servers
  weir servers --json
  weir servers --live
  weir --config ./mcp.yaml servers`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if running {
				return a.serversLive(cmd.Context(), asJSON)
			}
			if asJSON {
				return a.servers(cmd.Context(), a.printServersJSON)
			}
			return a.servers(cmd.Context(), a.printServers)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	cmd.Flags().BoolVar(&running, "live", false, "ask the weirs that are running, and connect to nothing")
	return cmd
}

func (a *app) servers(ctx context.Context, show func([]serverLine) error) error {
	file, cfg, err := a.gatewayFile(ctx)
	if err != nil {
		return withOthersGoOn(err)
	}
	if cfg.Notice != "" {
		fmt.Fprintln(a.Stderr, cfg.Notice)
		return show([]serverLine{})
	}
	cfg.MaxAge = time.Nanosecond // ask, whatever is stored
	began := time.Now()
	g, err := a.openGateway(ctx, cfg)
	if err != nil {
		return err
	}
	defer g.close()
	listedAnew := func(s aggregator.ServerStatus) bool { return s.Fetched.After(began) }
	statuses, err := a.waitForServers(ctx, g, cfg.Patience, listedAnew)
	if err != nil {
		return err
	}
	changes, unreadable := g.aggregator.PinChanges()
	lines := make([]serverLine, len(statuses))
	for i, s := range statuses {
		lines[i] = newServerLine(s, began)
		for _, c := range changes {
			if c.Server == s.Name {
				lines[i].Changed++
			}
		}
	}
	if err := show(lines); err != nil {
		return err
	}
	a.tellChanges(changes, unreadable)
	tools := 0
	for _, line := range lines {
		tools += line.Tools
	}
	a.tellExposure(file, tools)
	return failedServers(lines)
}

// withOthersGoOn adds to what is wrong with the configuration what that means for
// a weir that serves already.
func withOthersGoOn(err error) error {
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	return fmt.Errorf("%w\n(A weir that is running goes on with the configuration that it has. Correct the file and save it: it is read again then.)", err)
}

// A serverLine is what is said of one server.
type serverLine struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	Transport string `json:"transport"`
	Era       string `json:"era,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
	Version   string `json:"version,omitempty"` // as the server calls itself
	Tools     int    `json:"tools"`
	Prompts   int    `json:"prompts"`
	Resources int    `json:"resources"`         // and templates
	Cleaned   int    `json:"cleaned,omitempty"` // of these and the instructions: hosts are not shown all that is in them
	Changed   int    `json:"changed,omitempty"` // definitions that are not as they were pinned
	ListAge   string `json:"listAge,omitempty"`
	Error     string `json:"error,omitempty"`
	Remedy    string `json:"remedy,omitempty"` // the command that helps
}

func newServerLine(s aggregator.ServerStatus, began time.Time) serverLine {
	line := serverLine{
		Name: s.Name, State: string(s.State), Transport: s.Transport,
		Tools: s.Tools, Prompts: s.Prompts, Resources: s.Resources, Cleaned: s.Cleaned,
	}
	if s.State == upstream.Ready {
		line.Transport = s.Facts.Transport // http may have turned to sse
		line.Era, line.Protocol = "legacy", s.Facts.Version
		if s.Facts.Modern {
			line.Era = "modern"
		}
		info, _ := jsonrpc.ParseObject(nil, s.Facts.ServerInfo)
		line.Version = textOf(info, "version")
	}
	switch {
	case s.Fetched.After(began):
		line.ListAge = "just now"
	case s.Fetched.IsZero():
	case catalog.Undated(s.Fetched):
		line.ListAge = "unknown"
	default:
		line.ListAge = age(began.Sub(s.Fetched))
	}
	switch {
	case s.State == upstream.Disabled || s.Fetched.After(began):
	case s.Reason != nil:
		line.Error = printable(reason(s.Reason))
	case s.Failure.At.After(began):
		line.Error = printable(s.Failure.Text)
	default:
		line.Error = "its lists did not come in time"
	}
	if s.State == upstream.NeedsLogin {
		line.Remedy = "weir login " + s.Name
	}
	return line
}

// reason is the text of an error without the name of the server, which stands
// in the same line.
func reason(err error) string {
	failure, ok := errors.AsType[upstream.Failure](err)
	if !ok {
		return err.Error()
	}
	return failure.Detail().WithCause()
}

// failedServers is the outcome of the command.
func failedServers(lines []serverLine) error {
	failed, usable := 0, 0
	for _, line := range lines {
		if line.State != string(upstream.Disabled) {
			usable++
		}
		if line.Error != "" {
			failed++
		}
	}
	switch failed {
	case 0:
		return nil
	case usable:
		return &exitError{exitFailed, nil}
	}
	return &exitError{exitPartly, nil}
}

func (a *app) printServersJSON(lines []serverLine) error {
	e := json.NewEncoder(a.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(lines)
}

func (a *app) printServers(lines []serverLine) error {
	if len(lines) == 0 {
		return nil
	}
	p := a.paint()
	t := table{head: []string{"SERVER", "STATE", "TRANSPORT", "PROTOCOL", "VERSION", "TOOLS", "PROMPTS", "RESOURCES", "LISTED"}}
	for _, line := range lines {
		t.rows = append(t.rows, []cell{
			{line.Name, p.bold},
			{line.State, stateColour(p, line)},
			plain(line.Transport),
			plain(line.Protocol),
			plain(oneLine(line.Version, 16)),
			plain(fmt.Sprint(line.Tools)),
			plain(fmt.Sprint(line.Prompts)),
			plain(fmt.Sprint(line.Resources)),
			plain(line.ListAge),
		})
	}
	t.narrow(a.width(), "VERSION", "RESOURCES", "PROMPTS", "TRANSPORT", "PROTOCOL")
	t.print(a.Stdout, p, a.width())
	for _, line := range lines {
		if line.Error != "" {
			fmt.Fprintln(a.Stdout, p.red(line.Name+":"), line.Error)
		}
		if line.Remedy != "" {
			fmt.Fprintln(a.Stdout, p.yellow(line.Name+":"), "run", p.cyan(line.Remedy))
		}
		if line.Cleaned > 0 {
			fmt.Fprintf(a.Stdout, "%s hidden characters or unsafe icons in %s, which hosts are not shown\n",
				p.yellow(line.Name+":"), plural(line.Cleaned, "definition", "definitions"))
		}
	}
	if slices.ContainsFunc(lines, func(line serverLine) bool { return line.Error != "" && line.Remedy == "" }) {
		fmt.Fprintf(a.Stdout, "(%s says how to mend it)\n", p.cyan("weir doctor"))
	}
	return nil
}

func stateColour(p paint, line serverLine) func(string) string {
	switch {
	case line.State == string(upstream.Disabled):
		return p.dim
	case line.Error != "":
		return p.red
	}
	return p.green
}
