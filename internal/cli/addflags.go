package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/config"
)

// A newServer is what the flags of "weir add" say, but for those with a text of
// their own; see textFlags.
type newServer struct {
	env, headers, auth, set           []string
	tags, include, exclude, inherited []string
	bearer                            string
	texts                             map[string]*string
}

// textFlags are the flags that are one key of a server.
var textFlags = []struct{ flag, key, usage string }{
	{"cwd", "cwd", "the working `FOLDER` of the program"},
	{"transport", "transport", "http, sse or websocket (default by the URL)"},
	{"prefix", "prefix", "what its names begin with, instead of its own; \"\" for nothing"},
	{"timeout", "timeout", "for a call, such as 2m; progress restarts it (default 5m)"},
	{"connect-timeout", "connect_timeout", "until it has answered first (default 30s)"},
	{"start", "start", "lazy (on first need) or eager (default lazy)"},
	{"protocol", "protocol", "a `REVISION` to speak without asking, such as 2025-06-18"},
	{"pin", "pin", "when it changes a tool: off, warn or block (default warn)"},
	{"description", "description", "what it is, for people"},
}

// keyFlags are the flags that stand for further keys.
var keyFlags = map[string]string{
	"env": "--env", "headers": "--header", "inherit_env": "--inherit-env", "auth": "--auth",
	"tools.include": "--include", "tools.exclude": "--exclude", "tags": "--tag",
}

func (s *newServer) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&s.env, "env", nil, "a variable for the program, `NAME=VALUE` or NAME")
	flags.StringSliceVar(&s.inherited, "inherit-env", nil, "a variable of weir's own to pass on, by `NAME`")
	flags.StringArrayVar(&s.headers, "header", nil, "a header for each request, `NAME=VALUE`")
	flags.StringVar(&s.bearer, "bearer", "", "the `TOKEN` it wants: a reference to it, or - to be asked")
	flags.StringArrayVar(&s.auth, "auth", nil, "none, api_key, basic or oauth2, then KEY=VALUE of that (docs/auth.md)")
	flags.StringArrayVar(&s.include, "include", nil, "only tools that the `GLOB` matches")
	flags.StringArrayVar(&s.exclude, "exclude", nil, "no tools that the `GLOB` matches")
	flags.StringArrayVar(&s.tags, "tag", nil, "a `TAG` for profiles and policies")
	flags.StringArrayVar(&s.set, "set", nil, "any other key, `KEY=VALUE` as in mcp.yaml")
	s.texts = map[string]*string{}
	for _, f := range textFlags {
		s.texts[f.flag] = flags.String(f.flag, "", f.usage)
	}
}

// definition is what the arguments mean, of which those from dash on stood behind
// "--"; it is -1 without one.
func (s *newServer) definition(args []string, dash int) (d config.Definition, err error) {
	rest := args[1:]
	switch {
	case dash == 0:
		return d, usageError(`the NAME of the server stands before "--"`)
	case dash > 1:
		return d, usageError(`unexpected argument %q between the NAME and "--"`, args[1])
	case len(rest) == 0:
		return d, usageError("missing the URL of server %q, or -- and its COMMAND", args[0])
	case dash == 1:
		return s.program(rest)
	case !strings.Contains(rest[0], "://"):
		return d, usageError(`%q is no URL; a program stands behind "--": weir add %s -- %s`, rest[0], args[0], strings.Join(rest, " "))
	case len(rest) > 1:
		return d, usageError("unexpected argument %q behind the URL", rest[1])
	}
	return config.Definition{}.WithText(rest[0], "url"), nil
}

// program is a server that weir starts. What is a path for the person is one for
// weir, wherever that runs.
func (s *newServer) program(command []string) (d config.Definition, err error) {
	first := command[0]
	if strings.ContainsRune(first, filepath.Separator) {
		if first, err = wholePath(first); err != nil {
			return d, err
		}
	}
	if cwd := s.texts["cwd"]; *cwd != "" {
		if *cwd, err = wholePath(*cwd); err != nil {
			return d, err
		}
	}
	return config.NewDefinition(first, command[1:]...), nil
}

// flagged adds what the flags say to a definition.
func (s *newServer) flagged(cmd *cobra.Command) func(config.Definition) (config.Definition, error) {
	return func(d config.Definition) (config.Definition, error) {
		for _, add := range []func(config.Definition) (config.Definition, error){s.withPairs, s.withAuth} {
			var err error
			if d, err = add(d); err != nil {
				return d, err
			}
		}
		for _, f := range textFlags {
			if cmd.Flags().Changed(f.flag) {
				d = d.WithText(*s.texts[f.flag], f.key)
			}
		}
		for _, list := range []struct {
			texts []string
			path  []string
		}{
			{s.inherited, []string{"inherit_env"}},
			{s.include, []string{"tools", "include"}},
			{s.exclude, []string{"tools", "exclude"}},
			{s.tags, []string{"tags"}},
		} {
			if len(list.texts) > 0 {
				d = d.WithList(list.texts, list.path...)
			}
		}
		return s.withSet(d)
	}
}

func (s *newServer) withPairs(d config.Definition) (config.Definition, error) {
	env := slices.Clone(s.env)
	for i, word := range env {
		if !strings.Contains(word, "=") {
			env[i] = word + "=${" + word + "}"
		}
	}
	for _, kind := range []struct {
		flag, key string
		words     []string
	}{{"--env", "env", env}, {"--header", "headers", s.headers}} {
		all, err := pairs(kind.flag, kind.words)
		if err != nil {
			return d, err
		}
		for _, p := range all {
			d = d.WithText(p.Text, kind.key, p.Key)
		}
	}
	return d, nil
}

// withAuth adds how weir authenticates. Keys may lead into others, with dots
// between them.
func (s *newServer) withAuth(d config.Definition) (_ config.Definition, err error) {
	if s.bearer != "" {
		if len(s.auth) > 0 {
			return d, usageError("--bearer and --auth contradict each other")
		}
		return d.WithText("bearer", "auth", "type").WithText(s.bearer, "auth", "token"), nil
	}
	for _, word := range s.auth {
		key, value, ok := strings.Cut(word, "=")
		path := append([]string{"auth"}, strings.Split(key, ".")...)
		switch {
		case !ok:
			d = d.WithText(word, "auth", "type")
		case key == "scopes":
			d = d.WithList(strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }), path...)
		case key == "callback_port":
			if d, err = d.WithYAML(value, path...); err != nil {
				return d, usageError("--auth %s: %w", key, err)
			}
		default:
			d = d.WithText(value, path...)
		}
	}
	return d, nil
}

// withSet adds keys that have no flag.
func (s *newServer) withSet(d config.Definition) (config.Definition, error) {
	for _, word := range s.set {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" {
			return d, usageError("--set wants KEY=VALUE, such as max_concurrent=4")
		}
		made, err := d.WithYAML(value, strings.Split(key, ".")...)
		if err != nil {
			return d, usageError("--set %s: %w", key, err)
		}
		d = made
	}
	return d, nil
}

// flagWords says what is wrong with a definition in the words of the flags.
func flagWords(e *config.KeyError) string {
	flag, rest := flagOf(e.Key)
	if words := strings.TrimSpace(flag + " " + rest); words != "" {
		return words + ": " + e.Text
	}
	return e.Text
}

// flagOf is the flag by which a key is said, and what it leaves to say. What an
// argument says has none.
func flagOf(key string) (flag, rest string) {
	first, _, _ := strings.Cut(key, ".")
	if slices.Contains([]string{"", "command", "args", "url"}, first) {
		return "", key
	}
	for _, f := range textFlags {
		if f.key == key {
			return "--" + f.flag, ""
		}
	}
	for known, flag := range keyFlags {
		if key == known || strings.HasPrefix(key, known+".") {
			return flag, strings.TrimPrefix(strings.TrimPrefix(key, known), ".")
		}
	}
	return "--set", key
}

// pairs reads NAME=VALUE; a header may be written as it is sent, NAME: VALUE.
func pairs(flag string, words []string) (all []config.Pair, err error) {
	for _, word := range words {
		at := strings.IndexAny(word, "=:")
		if at <= 0 || flag == "--env" && word[at] == ':' {
			return nil, usageError("%s wants NAME=VALUE", flag) // what was written may be a secret
		}
		name, value := word[:at], word[at+1:]
		if word[at] == ':' {
			value = strings.TrimSpace(value)
		}
		if slices.ContainsFunc(all, func(p config.Pair) bool { return p.Key == name }) {
			return nil, usageError("%s %s is given twice", flag, name)
		}
		all = append(all, config.Pair{Key: name, Text: value})
	}
	return all, nil
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
