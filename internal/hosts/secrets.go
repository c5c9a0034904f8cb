package hosts

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/weir-mcp/weir/aggregator/redact"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Secret is what looks like one within a text of a definition.
type Secret struct {
	Path   []string // as of config.Definition.Map
	Before string
	Value  string
	After  string
}

// Name is a short name of where the secret stands: that of the variable or the
// header, or the key.
func (s Secret) Name() string {
	switch last := s.Path[len(s.Path)-1]; s.Path[0] {
	case "args":
		n, _ := strconv.Atoi(last)
		return "argument-" + strconv.Itoa(n+1)
	default:
		return last
	}
}

// redactor knows all kinds of secrets that weir knows. It is made when it is needed
// first: weir that serves never does.
var redactor = sync.OnceValue(func() *redact.Redactor {
	r, err := redact.New(redact.All)
	if err != nil {
		panic(err) // the name stands for all there are
	}
	return r
})

// Secrets are those of a definition, as far as they are known by how they look,
// or by the name that they stand under. References are none.
func Secrets(d config.Definition) (all []Secret) {
	before := ""
	d.Map(func(path []string, text string) string {
		name := ""
		switch path[0] {
		case "env", "headers", "auth":
			name = path[len(path)-1]
		case "args":
			if flag, ok := strings.CutPrefix(before, "-"); ok {
				name = strings.TrimLeft(flag, "-")
			}
			before = text
		}
		if path[0] == "auth" && (name == "type" || name == "client_id") {
			return text
		}
		if s, ok := secretIn(name, text); ok {
			s.Path = path
			all = append(all, s)
		}
		return text
	})
	return all
}

// secretIn finds what is secret in a text that stands under a name, which may
// be "".
func secretIn(name, text string) (Secret, bool) {
	switch {
	case text == "" || strings.Contains(text, "${"):
		return Secret{}, false
	case name != "" && !strings.HasPrefix(text, "-") && isTold(name, text):
		return behindScheme(Secret{Value: text}), true
	}
	if header, value, ok := strings.Cut(text, ": "); ok && isHeader(header) && isTold(header, value) {
		return behindScheme(Secret{Before: header + ": ", Value: value}), true
	}
	shown := redactor().Text(text)
	first, last := strings.Index(shown, "[redacted:"), strings.LastIndex(shown, "[redacted:")
	if first < 0 || shown == text {
		return Secret{}, false
	}
	end := strings.IndexByte(shown[last:], ']')
	head, tail := shown[:first], shown[last+end+1:]
	if end < 0 || len(head)+len(tail) >= len(text) || !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) {
		return Secret{Value: text}, true
	}
	return Secret{Before: head, Value: text[len(head) : len(text)-len(tail)], After: tail}, true
}

// behindScheme leaves the word before a credential of HTTP where it is.
func behindScheme(s Secret) Secret {
	scheme, value, ok := strings.Cut(s.Value, " ")
	if ok && value != "" && slices.Contains([]string{"bearer", "basic", "token", "apikey"}, strings.ToLower(scheme)) {
		s.Before, s.Value = s.Before+scheme+" ", value
	}
	return s
}

// isHeader reports whether a text may be the name of a header, as programs take
// those as arguments.
func isHeader(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r != '-' && (r > 0x7f || !isWordByte(byte(r))) })
}

// isTold reports whether the name of a text says that it is secret, or it looks
// like letters and digits that mean nothing.
func isTold(name, text string) bool {
	member := append([]byte{'{'}, jsonrpc.AppendString(nil, name)...)
	member = append(jsonrpc.AppendString(append(member, ':'), text), '}')
	if string(redactor().JSON(nil, member)) != string(member) && redactor().Text(text) == text {
		return true
	}
	if strings.ContainsAny(text, " /:.@") || len(text) < shortestSecret {
		return false
	}
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '_' || r == '-' })
	if len(words) > 0 && slices.Contains([]string{"key", "pat", "auth", "pass", "jwt"}, words[len(words)-1]) {
		return true
	}
	return looksRandom(text)
}

const (
	shortestSecret = 8
	shortestRandom = 20
)

func looksRandom(text string) bool {
	return len(text) >= shortestRandom && strings.ContainsAny(text, "0123456789") && strings.ContainsFunc(text, func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	})
}

// Masked is a definition as it may be shown: with "…" for each secret.
func Masked(d config.Definition) config.Definition {
	return Replace(d, Secrets(d), func(Secret) string { return "…" })
}

// Replace is a definition with something else in the place of secrets of it.
func Replace(d config.Definition, secrets []Secret, by func(Secret) string) config.Definition {
	places := map[string]Secret{}
	for _, s := range secrets {
		places[strings.Join(s.Path, "\x00")] = s
	}
	return d.Map(func(path []string, text string) string {
		if s, ok := places[strings.Join(path, "\x00")]; ok {
			return s.Before + by(s) + s.After
		}
		return text
	})
}
