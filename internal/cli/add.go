package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
)

func (a *app) addCommand() *cobra.Command {
	s := &newServer{}
	var edit editFlags
	var untried bool
	var pasted, secrets string
	cmd := &cobra.Command{
		Use:   "add NAME (URL | -- COMMAND [ARGUMENT …]) | add [NAME] --json JSON",
		Short: "Add a server to mcp.yaml, and try it",
		Long: `Add a server: a program that weir starts, behind --, or the URL of one on the network.
It is tried once it is in the file: connected to, and asked for its lists.

With --json it takes what the README of a server has for the settings of some host:
a whole file ("mcpServers", "servers", …), or a piece of one, down to the entry of
one server, which then needs a NAME. "--json -" reads it from stdin.

Texts go into the file as they are, so ${NAME} in them is that variable when weir
starts the server, ${keyring:SERVICE/ACCOUNT} a secret in the keyring, and $${ a
plain ${. Quote them, or your shell replaces them. "--env NAME" is short for
"--env NAME=${NAME}".

Others on this machine can read what programs are started with, so write no secret
here. A "-" in its place (--bearer -, --header X-Api-Key=-, --env TOKEN=-, --auth
password=-) has weir ask for it, or read it from stdin, and put it into the keyring.
What looks like a secret all the same, you are asked whether to move there.

For what has no flag of its own there is --set: every key that a server has in
mcp.yaml, with a value as it stands there.

` + editWords + `

The exit code is 3 if the server is in the file, but cannot be used yet.`,
		Example: `  weir add files -- npx -y @modelcontextprotocol/server-filesystem ~/Documents
  weir add github https://api.githubcopilot.com/mcp/ --bearer '${GITHUB_TOKEN}'
  weir add acme https://acme.example/mcp --header X-Api-Key=-
  weir add linear https://mcp.linear.app/mcp --auth oauth2 --auth scopes=read,write
  weir add db --env DATABASE_URL --exclude 'drop_*' -- uvx mcp-server-postgres
  weir add slow https://slow.example/mcp --set max_concurrent=4 --set sampling=deny
  weir add time --json '{"command": "uvx", "args": ["mcp-server-time"]}'
  weir add --json - --secrets=keyring --yes < snippet.json
  weir add --undo`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("json") && !edit.undo {
				return onlyName(args)
			}
			return edit.wordsOrUndo(atLeastOne("the NAME of the server"))(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if edit.undo {
				_, err := a.changeConfig(ctx, edit)
				return err
			}
			if err := checkSecrets(secrets); err != nil {
				return err
			}
			n := &adding{importing: &importing{app: a, path: config.Where(a.configFlag)}, edit: edit, secrets: secrets}
			var err error
			if cmd.Flags().Changed("json") {
				err = n.paste(pasted, args, s.flagged(cmd))
			} else {
				err = n.one(s, cmd, args)
			}
			if err == nil {
				err = n.check()
			}
			if err != nil {
				return err
			}
			written, err := n.write(ctx)
			if err != nil || !written || untried {
				return err
			}
			return n.try(ctx)
		},
	}
	s.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&pasted, "json", "", "`JSON` from a README; - for stdin")
	addSecrets(cmd, &secrets)
	flags.BoolVar(&untried, "no-try", false, "do not connect to it")
	edit.add(cmd)
	return cmd
}

// onlyName demands the name of a server, or nothing.
func onlyName(args []string) error {
	if len(args) > 1 {
		return usageError("unexpected argument %q: with --json, the URL or command is in the text", args[1])
	}
	return nil
}

// An adding is servers on their way into the configuration.
type adding struct {
	*importing
	edit    editFlags
	secrets string // as of importOptions
	servers []*hosts.Candidate
	typed   bool // the servers were told by flags, which may have asked for what is to be read
}

// one takes the server that flags and arguments say.
func (n *adding) one(s *newServer, cmd *cobra.Command, args []string) error {
	d, err := s.definition(args, cmd.ArgsLenAtDash())
	if err == nil {
		d, err = s.flagged(cmd)(d)
	}
	if err != nil {
		return err
	}
	n.servers = []*hosts.Candidate{{As: args[0], Verdict: hosts.New, Server: hosts.Server{Name: args[0], Definition: d}}}
	n.typed = true
	return nil
}

// paste takes the servers that a text from elsewhere has, with what the flags say
// besides. One that is there already is left out.
func (n *adding) paste(text string, args []string, flagged func(config.Definition) (config.Definition, error)) error {
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(n.Stdin, maxPasted))
		if err != nil {
			return fmt.Errorf("reading stdin: %w", err)
		}
		text = string(data)
	}
	name := strings.Join(args, "")
	file, err := hosts.ThisMachine(n.getenv, "").ReadPasted([]byte(text), cmp.Or(name, "server"))
	if err != nil {
		return usageError("--json: %w", err)
	}
	if name != "" && len(file.Servers) != 1 {
		return usageError("--json: %s, so that a NAME is not enough: leave it out", plural(len(file.Servers), "server is in it", "servers are in it"))
	}
	before, _, err := config.Preview(n.options(nil), config.Changes{})
	if err != nil {
		return err
	}
	have, aliases, err := config.Define(before)
	if err != nil {
		return err
	}
	for _, c := range hosts.Plan([]*hosts.File{file}, have, aliases) {
		if err := n.take(c, name, flagged); err != nil {
			return err
		}
	}
	return nil
}

// maxPasted is more than any README has for a server.
const maxPasted = 1 << 20

// take takes one of the servers of a text.
func (n *adding) take(c *hosts.Candidate, name string, flagged func(config.Definition) (config.Definition, error)) (err error) {
	switch c.Verdict {
	case hosts.Weir:
		n.note(c.Name + " is left out: it starts weir itself")
		return nil
	case hosts.Same:
		n.note(fmt.Sprintf("%s is left out: it is there already, as %s", c.Name, c.As))
		return nil
	case hosts.Broken:
		return fmt.Errorf("server %q of the text: %w", c.Name, errors.Join(c.Problems...))
	case hosts.New:
	}
	if name != "" {
		c.As = name
	}
	for _, text := range c.Notes {
		n.note(c.As + ": " + text)
	}
	c.Definition, err = flagged(c.Definition)
	n.servers = append(n.servers, c)
	return err
}

// check refuses what mcp.yaml would not take, in the words of the flags where these
// have said it.
func (n *adding) check() error {
	var all []string
	for _, c := range n.servers {
		for _, wrong := range c.Definition.Check() {
			if n.typed {
				all = append(all, flagWords(wrong))
			} else {
				all = append(all, fmt.Sprintf("server %q: %v", c.As, wrong))
			}
		}
	}
	if len(all) > 0 {
		return usageError("%s", strings.Join(all, "\n"))
	}
	return nil
}

// write settles what becomes of secrets and adds the servers, if the person agrees.
// What it put into the keyring it takes out again if nothing was written.
func (n *adding) write(ctx context.Context) (written bool, err error) {
	if len(n.servers) == 0 {
		fmt.Fprintln(n.Stdout, "There is nothing to add.")
		return false, nil
	}
	defer func() {
		if !written {
			n.forget(n.keys)
		}
	}()
	if err := n.askSecrets(ctx); err != nil {
		return false, err
	}
	if !n.edit.dryRun && (n.edit.yes || isTerminal(n.Stdin) && isTerminal(n.Stdout)) {
		if err := n.settle(ctx, n.servers, importOptions{yes: n.edit.yes, secrets: n.secrets}); err != nil {
			return false, endOfInput(err)
		}
	}
	var changes config.Changes
	for _, c := range n.servers {
		n.warnOfSecrets(c)
		changes = append(changes, config.DefineServer{Name: c.As, Definition: c.Definition})
	}
	return n.changeConfig(ctx, n.edit, changes)
}

// asked is what stands in the place of a secret that is to be asked for.
const asked = "-"

// askSecrets asks for the secrets that stand as "-", and keeps them in the keyring.
// With --dry-run they are not asked for.
func (n *adding) askSecrets(ctx context.Context) (failed error) {
	if !n.typed {
		return nil // a text from elsewhere has no such sign
	}
	read := 0
	for _, c := range n.servers {
		c.Definition = c.Definition.Map(func(path []string, text string) string {
			if failed != nil || text != asked || !slices.Contains([]string{"env", "headers", "auth"}, path[0]) {
				return text
			}
			account := c.As + "/" + path[len(path)-1]
			if n.edit.dryRun {
				return "${keyring:" + keyringService + "/" + account + "}"
			}
			if read++; read > 1 && !isTerminal(n.Stdin) {
				failed = usageError("stdin has room for one secret: put the others into the keyring before (weir auth secret set %s/%s)", keyringService, account)
				return text
			}
			var secret string
			if secret, failed = n.readSecret(ctx, keyringService+"/"+account); failed != nil {
				return text
			}
			var place string
			if place, failed = n.keep(ctx, account, secret); failed != nil {
				failed = keyringError(failed)
			}
			return "${keyring:" + place + "}"
		})
	}
	return failed
}

// warnOfSecrets tells of texts that look like secrets, and will stand in the file.
func (n *adding) warnOfSecrets(c *hosts.Candidate) {
	for _, secret := range hosts.Secrets(c.Definition) {
		place := keyringService + "/" + c.As
		fmt.Fprintf(n.Stderr, "%s %s looks like a secret, and would stand in the file as it is. "+
			"--secrets=keyring moves it into the keyring; or put it there (weir auth secret set %s), and write '${keyring:%s}' here.\n",
			n.errorPaint().yellow("warning:"), printable(strings.ReplaceAll(secret.Name(), "argument-", "argument ")), place, place)
	}
}

// try tries all of them, and says how that went.
func (n *adding) try(ctx context.Context) (err error) {
	for _, c := range n.servers {
		if failed := n.tryServer(ctx, c.As); failed != nil {
			err = failed
		}
	}
	return err
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
