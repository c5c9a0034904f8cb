package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator/redact"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func (a *app) addCommand() *cobra.Command {
	s := &newServer{}
	var edit editFlags
	var untried bool
	cmd := &cobra.Command{
		Use:   "add NAME (URL | -- COMMAND [ARGUMENT …])",
		Short: "Add a server to mcp.yaml, and try it",
		Long: `Add a server: a program that weir starts, behind --, or the URL of one on the network.
It is tried once it is in the file: connected to, and asked for its lists.

Texts go into the file as they are, so ${NAME} in them is that variable when weir
starts the server, ${keyring:SERVICE/ACCOUNT} a secret in the keyring, and $${ a
plain ${. Quote them, or your shell replaces them. "--env NAME" is short for
"--env NAME=${NAME}". Others on this machine can read what programs are started
with, so write no secret here: "weir auth secret set" puts it into the keyring.

` + editWords + `

The exit code is 3 if the server is in the file, but cannot be used yet.`,
		Example: `  weir add files -- npx -y @modelcontextprotocol/server-filesystem ~/Documents
  weir add github https://api.githubcopilot.com/mcp/ --prefix gh
  weir add acme https://acme.example/mcp --header 'X-Api-Key=${keyring:weir/acme}'
  weir add db --env DATABASE_URL --tag work --dry-run -- uvx mcp-server-postgres
  weir add --undo`,
		Args: edit.wordsOrUndo(atLeastOne("the NAME of the server")),
		RunE: func(cmd *cobra.Command, args []string) error {
			if edit.undo {
				_, err := a.changeConfig(cmd.Context(), edit)
				return err
			}
			change, err := s.change(args, cmd.ArgsLenAtDash())
			if err != nil {
				return err
			}
			s.prefixed(cmd, &change)
			a.warnOfSecrets(change)
			written, err := a.changeConfig(cmd.Context(), edit, change)
			if err != nil || !written || untried {
				return err
			}
			return a.tryServer(cmd.Context(), change.Name)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&s.env, "env", nil, "a variable for the program, `NAME=VALUE` or NAME")
	flags.StringVar(&s.cwd, "cwd", "", "the working `FOLDER` of the program")
	flags.StringArrayVar(&s.headers, "header", nil, "a header for each request, `NAME=VALUE`")
	flags.StringVar(&s.transport, "transport", "", "http, sse or websocket (default by the URL)")
	flags.StringVar(&s.prefix, "prefix", "", "what its names begin with, instead of its own; \"\" for nothing")
	flags.StringVar(&s.description, "description", "", "what it is, for people")
	flags.StringArrayVar(&s.tags, "tag", nil, "a `TAG` for profiles and policies")
	flags.BoolVar(&untried, "no-try", false, "do not connect to it")
	edit.add(cmd)
	return cmd
}

// A newServer is what the flags of "weir add" say.
type newServer struct {
	env, headers, tags                  []string
	cwd, transport, prefix, description string
}

// change is what the arguments mean, of which those from dash on stood behind "--";
// it is -1 without one.
func (s *newServer) change(args []string, dash int) (config.AddServer, error) {
	c := config.AddServer{
		Name: args[0], Transport: s.transport, Description: s.description, Tags: s.tags,
	}
	rest := args[1:]
	switch {
	case dash == 0:
		return c, usageError(`the NAME of the server stands before "--"`)
	case dash > 1:
		return c, usageError(`unexpected argument %q between the NAME and "--"`, args[1])
	case len(rest) == 0:
		return c, usageError("missing the URL of server %q, or -- and its COMMAND", c.Name)
	case dash == 1:
		return s.program(c, rest)
	case !strings.Contains(rest[0], "://"):
		return c, usageError(`%q is no URL; a program stands behind "--": weir add %s -- %s`, rest[0], c.Name, strings.Join(rest, " "))
	case len(rest) > 1:
		return c, usageError("unexpected argument %q behind the URL", rest[1])
	}
	return s.remote(c, rest[0])
}

// program is a server that weir starts. What is a path for the person is one for
// weir, wherever that runs.
func (s *newServer) program(c config.AddServer, command []string) (_ config.AddServer, err error) {
	if len(s.headers) > 0 || s.transport != "" {
		return c, usageError("--header and --transport go with a URL")
	}
	c.Command, c.Args = command[0], command[1:]
	if strings.ContainsRune(c.Command, filepath.Separator) {
		if c.Command, err = wholePath(c.Command); err != nil {
			return c, err
		}
	}
	if s.cwd != "" {
		if c.Cwd, err = wholePath(s.cwd); err != nil {
			return c, err
		}
	}
	for i, word := range s.env {
		if !strings.Contains(word, "=") {
			s.env[i] = word + "=${" + word + "}"
		}
	}
	c.Env, err = pairs("--env", s.env)
	return c, err
}

// remote is a server on the network.
func (s *newServer) remote(c config.AddServer, url string) (_ config.AddServer, err error) {
	if len(s.env) > 0 || s.cwd != "" {
		return c, usageError("--env and --cwd go with a program")
	}
	if known := []string{"", upstream.HTTP, upstream.SSE, upstream.WebSocket}; !slices.Contains(known, s.transport) {
		return c, usageError("unknown transport %q (want http, sse or websocket)", s.transport)
	}
	c.URL = url
	c.Headers, err = pairs("--header", s.headers)
	return c, err
}

// prefixed takes the prefix over if there is one, which may be empty.
func (s *newServer) prefixed(cmd *cobra.Command, c *config.AddServer) {
	if cmd.Flags().Changed("prefix") {
		c.Prefix = &s.prefix
	}
}

// wholePath makes a path absolute, unless the configuration will: one that begins
// with the home folder or a reference.
func wholePath(path string) (string, error) {
	if strings.HasPrefix(path, "~") || strings.HasPrefix(path, "${") {
		return path, nil
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding %q: %w", path, err)
	}
	return whole, nil
}

// pairs reads NAME=VALUE; a header may be written as it is sent, NAME: VALUE.
func pairs(flag string, words []string) (map[string]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	all := make(map[string]string, len(words))
	for _, word := range words {
		at := strings.IndexAny(word, "=:")
		if at <= 0 || flag == "--env" && word[at] == ':' {
			return nil, usageError("%s wants NAME=VALUE", flag) // what was written may be a secret
		}
		name, value := word[:at], word[at+1:]
		if word[at] == ':' {
			value = strings.TrimSpace(value)
		}
		if _, twice := all[name]; twice {
			return nil, usageError("%s %s is given twice", flag, name)
		}
		all[name] = value
	}
	return all, nil
}

// warnOfSecrets tells of texts that look like secrets, and will stand in the file.
func (a *app) warnOfSecrets(c config.AddServer) {
	r, err := redact.New(redact.All)
	if err != nil {
		return
	}
	var odd []string
	for _, values := range []map[string]string{c.Env, c.Headers} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			member := jsonrpc.AppendObject(nil, []jsonrpc.Member{jsonrpc.NewMember(name, jsonrpc.AppendString(nil, values[name]))})
			if !strings.Contains(values[name], "${") && string(r.JSON(nil, member)) != string(member) {
				odd = append(odd, name)
			}
		}
	}
	for i, text := range c.Args {
		if r.Text(text) != text {
			odd = append(odd, fmt.Sprintf("argument %d", i+1))
		}
	}
	if r.Text(c.URL) != c.URL {
		odd = append(odd, "the URL")
	}
	for _, what := range odd {
		fmt.Fprintf(a.Stderr, "%s %s looks like a secret, and would stand in the file as it is. "+
			"Put it into the keyring (weir auth secret set weir/%s), and write '${keyring:weir/%s}' here.\n",
			a.errorPaint().yellow("warning:"), printable(what), c.Name, c.Name)
	}
}

// tryServer connects to a server that was added, and says how that went.
func (a *app) tryServer(ctx context.Context, name string) error {
	d, err := a.openDesk()
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.server(name)
	if err != nil {
		fmt.Fprintf(a.Stderr, "It was not tried: the profile of this run has no server %q.\n", name)
		return nil
	}
	began := time.Now()
	status, err := d.list(ctx, s)
	if err != nil {
		return partly(name, err)
	}
	line := newServerLine(status, began)
	if err := a.printServers([]serverLine{line}); err != nil {
		return err
	}
	if line.Error != "" {
		return partly(name, errors.New("it cannot be used yet"))
	}
	return nil
}

// partly is the error of a server that was added and did not work.
func partly(name string, err error) error {
	return &exitError{exitPartly, fmt.Errorf("server %q is in the file, but %w (\"weir servers\" tries it again, \"weir add --undo\" takes it out)", name, err)}
}
