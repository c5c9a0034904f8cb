package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/keyring"
	"github.com/weir-mcp/weir/upstream/state"
)

// What references to files and the keyring may take, in time and bytes.
const (
	resolveTimeout = 10 * time.Second
	maxFileRef     = 1 << 20
)

// An expander replaces references. It is not changed while in use, and safe for
// concurrent use.
type expander struct {
	vars map[string]string // of env_file
	home string            // "" if there is none
	dir  string            // of the configuration file: where relative paths begin
	more map[string]string // what other programs' files may refer to besides
	ring keyring.Ring

	sources *Sources // takes note of variables; nil for nobody
}

// newExpander returns an expander for the file at path.
func newExpander(path string, sources *Sources) *expander {
	e := &expander{ring: keyring.System(os.Getenv), sources: sources}
	if home, err := os.UserHomeDir(); err == nil {
		e.home = home
	}
	if path != "" {
		e.dir = filepath.Dir(path)
	}
	return e
}

// lookup returns the value of a variable.
func (e *expander) lookup(name string) (value string, ok bool) {
	kept, isKept := e.vars[name]
	value, ok = os.LookupEnv(name)
	e.sources.lookedUp(name, ok && !isKept)
	if ok {
		return value, true
	}
	return kept, isKept
}

// expand replaces the references in text but for those to files and the keyring,
// which it leaves for resolve, and reports whether there are any of these. The
// result is escaped: what is "${" in it without being a reference is "$${".
func (e *expander) expand(text string) (expanded string, deferred bool, err error) {
	expanded, err = replace(text, "$${", func(ref string) (string, error) {
		secret, isKeyring := strings.CutPrefix(ref, "keyring:")
		if isKeyring && !isSecretName(secret) {
			return "", errors.New("${keyring:} wants the name of a secret, SERVICE/ACCOUNT")
		}
		if isKeyring || strings.HasPrefix(ref, "file:") {
			deferred = true
			return "${" + ref + "}", nil
		}
		value, err := e.reference(ref)
		return strings.ReplaceAll(value, "${", "$${"), err
	})
	return expanded, deferred, err
}

// resolve replaces the references that expand has left.
func (e *expander) resolve(ctx context.Context, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	return replace(text, "${", func(ref string) (string, error) {
		switch kind, name, _ := strings.Cut(ref, ":"); kind {
		case "file":
			return readReference(ctx, e.path(name))
		case "keyring":
			service, account, _ := strings.Cut(name, "/")
			return e.ring.Get(ctx, service, account)
		}
		return "", errors.New("a reference that is neither to a file nor to the keyring")
	})
}

// isSecretName reports whether a text is SERVICE/ACCOUNT. An account may have
// further slashes.
func isSecretName(text string) bool {
	service, account, _ := strings.Cut(text, "/")
	return service != "" && account != ""
}

// unescape gives text that expand has returned its final form, where nothing
// in it is left to resolve.
func unescape(text string) string { return strings.ReplaceAll(text, "$${", "${") }

// replace copies text with each ${REF} replaced and each "$${" as given.
func replace(text, escaped string, with func(ref string) (string, error)) (string, error) {
	at := strings.Index(text, "${")
	if at < 0 {
		return text, nil
	}
	var b strings.Builder
	for ; at >= 0; at = strings.Index(text, "${") {
		if at > 0 && text[at-1] == '$' {
			b.WriteString(text[:at-1])
			b.WriteString(escaped)
			text = text[at+2:]
			continue
		}
		b.WriteString(text[:at])
		ref, behind, closed := strings.Cut(text[at+2:], "}")
		if !closed {
			return "", errors.New("a reference ${ without its } (write $${ where none is meant)")
		}
		value, err := with(ref)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = behind
	}
	b.WriteString(text)
	return b.String(), nil
}

// reference returns what ${ref} stands for.
func (e *expander) reference(ref string) (string, error) {
	if value, ok := e.more[ref]; ok {
		return value, nil
	}
	name, fallback, hasFallback := strings.Cut(strings.TrimPrefix(ref, "env:"), ":-")
	switch kind, _, _ := strings.Cut(ref, ":"); {
	case kind == "input":
		return "", errors.New("${input:} asks a person, which weir cannot; use ${VAR}, ${file:PATH} or ${keyring:SERVICE/ACCOUNT} instead")
	case strings.HasPrefix(kind, "workspaceFolder"):
		return "", errors.New("${workspaceFolder} is known to the editor only; write the folder out")
	case !isVariable(name):
		return "", errors.New("an unknown reference ${} (want ${VAR}, ${VAR:-default}, ${env:VAR}, ${file:PATH} or ${keyring:SERVICE/ACCOUNT}; write $${ where none is meant)")
	}
	value, ok := e.lookup(name)
	if hasFallback && value == "" {
		return fallback, nil
	}
	if !ok {
		return "", fmt.Errorf("variable %s is not set", name)
	}
	return value, nil
}

// contents are what reading a file has given.
type contents struct {
	data []byte
	err  error
}

// readReference reads a file without its final newline.
func readReference(ctx context.Context, path string) (string, error) {
	done := make(chan contents, 1)
	go func() {
		data, _, err := state.ReadFile(path, maxFileRef) // a pipe could wait for ever
		done <- contents{data, err}
	}()
	return await(ctx, path, done)
}

// await waits for the contents of a file, until ctx ends. A file system that
// does not answer is then left to itself: reading cannot be interrupted.
func await(ctx context.Context, path string, done <-chan contents) (string, error) {
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("reading %q: %w", path, context.Cause(ctx))
	case c := <-done:
		text := strings.TrimSuffix(string(c.data), "\n")
		return strings.TrimSuffix(text, "\r"), c.err
	}
}

// path makes a path of the configuration absolute.
func (e *expander) path(path string) string {
	path = withHome(path, e.home)
	if filepath.IsAbs(path) || e.dir == "" {
		return path
	}
	return filepath.Join(e.dir, path)
}

// withHome replaces a leading "~", if there is a home folder.
func withHome(path, home string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || home == "" || rest != "" && !os.IsPathSeparator(rest[0]) {
		return path
	}
	return home + rest
}
