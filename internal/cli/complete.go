package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A completer says what a shell may offer for the word that is being typed. It
// knows the configuration and the lists that are stored: no server is started or
// asked, and where something is amiss it offers nothing.
type completer func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective)

// nothingElse is for words that are no files.
const nothingElse = cobra.ShellCompDirectiveNoFileComp

// complete gives commands what completes their arguments, and the flags of all of
// them likewise.
func (a *app) complete(root *cobra.Command) {
	servers := a.completeServers(func(*config.Server) bool { return true })
	for path, complete := range map[string]completer{
		"call":           a.completeCall,
		"read":           a.completeRead,
		"prompt":         a.completePrompt,
		"remove":         each(servers),
		"enable":         each(a.completeServers(func(s *config.Server) bool { return s.Disabled })),
		"disable":        each(a.completeServers(func(s *config.Server) bool { return !s.Disabled })),
		"alias":          a.completeAlias(servers),
		"add":            fileless,
		"login":          onlyFirst(a.completeServers(loggedInto)),
		"logout":         onlyFirst(a.completeServers(loggedInto)),
		"pins list":      onlyFirst(servers),
		"pins diff":      onlyFirst(servers),
		"pins approve":   onlyFirst(servers),
		"policy explain": onlyFirst(a.completeTools),
		"import":         hostsOrFiles,
		"install":        each(completeHosts),
		"uninstall":      each(completeHosts),
	} {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil || cmd.ValidArgsFunction != nil {
			panic("no command to complete: " + path)
		}
		cmd.ValidArgsFunction = matching(complete)
	}
	if err := root.RegisterFlagCompletionFunc("profile", a.completeProfiles); err != nil {
		panic(err) // there is such a flag
	}
	doctor, _, err := root.Find([]string{"doctor"})
	if err == nil {
		err = doctor.RegisterFlagCompletionFunc("server", matching(servers))
	}
	if err != nil {
		panic(err) // there is such a flag
	}
	completeFlag(root, "doctor", "host", hostIDs()...)
	completeFlag(root, "tools", "format", append([]string{"table", "json"}, apis...)...)
	completeFlag(root, "call", "from", apis...)
	for _, command := range []string{"import", "install", "add"} {
		completeFlag(root, command, "secrets", secretsKeyring, secretsKeep)
	}
	completeFlag(root, "add", "transport", "http", "sse", "websocket")
	completeFlag(root, "add", "start", "lazy", "eager")
	completeFlag(root, "add", "pin", "off", "warn", "block")
	completeFlag(root, "add", "auth", "none", "bearer", "api_key", "basic", "oauth2")
	for _, flag := range []string{"json", "env", "inherit-env", "header", "bearer", "include", "exclude", "tag", "set", "prefix", "timeout", "connect-timeout", "protocol", "description"} {
		completeFlag(root, "add", flag)
	}
}

// apis are those of models that tools are written for, and calls are read from.
var apis = []string{"openai", "openai-responses", "anthropic", "gemini"}

// completeFlag has the values of a command's flag completed.
func completeFlag(root *cobra.Command, command, flag string, values ...string) {
	cmd, _, err := root.Find([]string{command})
	if err == nil {
		err = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, nothingElse))
	}
	if err != nil {
		panic(err) // there are such ones
	}
}

// hostsOrFiles offers hosts, and leaves files to the shell.
func hostsOrFiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return hostIDs(), cobra.ShellCompDirectiveDefault
}

// fileless offers nothing, not even files.
func fileless(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, nothingElse
}

// matching offers what begins with the word that is being typed.
func matching(complete completer) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		offered, directive := complete(cmd, args, word)
		return slices.DeleteFunc(offered, func(o cobra.Completion) bool { return !strings.HasPrefix(o, word) }), directive
	}
}

// onlyFirst completes the first argument only.
func onlyFirst(complete completer) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, nothingElse
		}
		return complete(cmd, args, word)
	}
}

// each completes all arguments, with what is not among them yet.
func each(complete completer) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		offered, directive := complete(cmd, args, word)
		return slices.DeleteFunc(offered, func(o cobra.Completion) bool {
			name, _, _ := strings.Cut(o, "\t")
			return slices.Contains(args, name)
		}), directive
	}
}

// completeServers offers those servers of the configuration that are fit.
func (a *app) completeServers(fit func(*config.Server) bool) completer {
	return func(*cobra.Command, []string, string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
		file, err := a.load()
		if err != nil {
			return nil, nothingElse
		}
		for i := range file.Servers {
			if s := &file.Servers[i]; fit(s) {
				offered = offer(offered, s.Name, s.Description)
			}
		}
		return offered, nothingElse
	}
}

func (a *app) completeAlias(servers completer) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		removing, _ := cmd.Flags().GetBool("remove")
		switch file, err := a.load(); {
		case err != nil:
		case removing:
			return slices.DeleteFunc(slices.Sorted(maps.Keys(file.Aliases)), func(alias string) bool { return slices.Contains(args, alias) }), nothingElse
		case len(args) == 1:
			return servers(cmd, nil, word)
		}
		return nil, nothingElse
	}
}

func (a *app) completeProfiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	a.identity.profile = optional{given: true} // the one that is being typed would be unknown
	file, err := a.load()
	if err != nil {
		return nil, nothingElse
	}
	return file.People.Profiles(), nothingElse
}

// completeTools offers the tools that a host sees.
func (a *app) completeTools(cmd *cobra.Command, _ []string, _ string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
	for _, tool := range a.storedTools(cmd.Context()) {
		offered = offer(offered, tool.Name, tool.Description)
	}
	return offered, nothingElse
}

// completeCall offers tools, then the arguments of the one that is named, then the
// values that such an argument may have.
func (a *app) completeCall(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeTools(cmd, args, word)
	}
	tools := a.storedTools(cmd.Context())
	i := slices.IndexFunc(tools, func(t listedTool) bool { return t.Name == args[0] })
	if i < 0 {
		return nil, nothingElse
	}
	s := parseSchema(tools[i].InputSchema)
	if key, _, ok := strings.Cut(word, "="); ok {
		p := s.parameters[key]
		if p == nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return p.completeValue(key)
	}
	var keys []cobra.Completion
	for _, name := range s.names {
		if p := s.parameters[name]; !isGiven(args[1:], name) || slices.Contains(p.types, "array") {
			keys = offer(keys, name+"=", p.about)
		}
	}
	return keys, nothingElse | cobra.ShellCompDirectiveNoSpace
}

// completeValue offers the values that a schema lists; where it lists none, a file
// may be meant.
func (p *parameter) completeValue(key string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
	values := p.values
	if len(values) == 0 && p.items != nil {
		values = p.items.values
	}
	for _, value := range values {
		offered = offer(offered, key+"="+value, "")
	}
	if len(offered) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return offered, nothingElse
}

// isGiven reports whether a word gives a value to an argument already.
func isGiven(words []string, name string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		key, _, _ := strings.Cut(word, "=")
		return strings.TrimSuffix(key, ":") == name
	})
}

func (a *app) completePrompt(cmd *cobra.Command, args []string, word string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
	entries := a.stored(cmd.Context(), "prompts/list", "prompts")
	for _, raw := range entries {
		p := newListedPrompt(raw)
		switch {
		case len(args) == 0:
			offered = offer(offered, p.Name, p.Description)
		case p.Name == args[0] && !strings.Contains(word, "="):
			for _, name := range p.argumentNames() {
				if !isGiven(args[1:], name) {
					offered = offer(offered, name+"=", "")
				}
			}
		}
	}
	if len(args) > 0 {
		return offered, nothingElse | cobra.ShellCompDirectiveNoSpace
	}
	return offered, nothingElse
}

func (a *app) completeRead(cmd *cobra.Command, args []string, _ string) (offered []cobra.Completion, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, nothingElse
	}
	for _, raw := range a.stored(cmd.Context(), "resources/list", "resources") {
		resource, _ := jsonrpc.ParseObject(nil, raw)
		offered = offer(offered, textOf(resource, "uri"), textOf(resource, "name"))
	}
	return offered, nothingElse
}

// maxOffered is how long the words beside a name may be.
const maxOffered = 60

// offer adds a word, with what a shell shows beside it. One that is no plain word,
// as a server may write it, is not offered.
func offer(to []cobra.Completion, word, about string) []cobra.Completion {
	if word == "" || word != printable(word) {
		return to
	}
	if about = oneLine(about, maxOffered); about != "" {
		word += "\t" + about
	}
	return append(to, word)
}

func (a *app) storedTools(ctx context.Context) []listedTool {
	entries := a.stored(ctx, "tools/list", "tools")
	tools := make([]listedTool, len(entries))
	for i, raw := range entries {
		tools[i] = newListedTool(raw)
	}
	return tools
}

// stored is the list that a host would be answered, of those servers whose lists
// are stored.
func (a *app) stored(ctx context.Context, method, member string) [][]byte {
	file, err := a.load()
	if err != nil {
		return nil
	}
	cfg := a.aggregatorConfig(file, zerolog.Nop())
	cfg.Store = openStore(ctx, zerolog.Nop())
	if cfg.Notice != "" || !cfg.Store.Usable() {
		return nil
	}
	cfg.Servers = slices.DeleteFunc(cfg.Servers, func(s aggregator.Server) bool { return !isStored(cfg, s) })
	if len(cfg.Servers) == 0 {
		return nil
	}
	rehearsed, err := aggregator.Rehearse(cfg, [][]byte{
		fmt.Appendf(nil, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":%s,"capabilities":{},"clientInfo":{"name":"weir-cli","version":%s}}}`,
			quoted(hostRevision), quoted(version)),
		[]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`),
		fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":%s}`, quoted(method)),
	})
	if err != nil {
		return nil
	}
	return entriesOf(rehearsed.Lines, member)
}

// isStored reports whether there are lists of a server.
func isStored(cfg aggregator.Config, s aggregator.Server) bool {
	cfg.Servers = []aggregator.Server{s}
	paths, err := cfg.Files()
	if err != nil {
		return false
	}
	_, err = os.Stat(paths[0])
	return err == nil
}

// entriesOf finds the answer to request 1 among lines, and returns the entries
// that stand in it.
func entriesOf(lines [][]byte, member string) [][]byte {
	for _, line := range lines {
		var m jsonrpc.Message
		if m.Parse(line) != nil || m.Kind != jsonrpc.Response || string(m.ID) != "1" {
			continue
		}
		result, _ := jsonrpc.ParseObject(nil, m.Result)
		entries, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(result, member))
		return entries
	}
	return nil
}
