package login

import (
	"errors"
	"strings"
)

var errQuote = errors.New("a quote is not closed")

// words splits a command as a shell splits one of plain words and quotes. Nothing
// in it is expanded. A backslash escapes only outside of single quotes, and only
// where escapes is true: on Windows it separates the parts of paths.
func words(command string) ([]string, error) { return split(command, backslashEscapes) }

func split(command string, escapes bool) (out []string, err error) {
	var word strings.Builder
	inside, quote := false, rune(0)
	runes := []rune(command)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case r == '\\' && escapes && quote != '\'' && i+1 < len(runes):
			i++
			word.WriteRune(runes[i])
			inside = true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inside = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if inside {
				out = append(out, word.String())
				word.Reset()
			}
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if quote != 0 {
		return nil, errQuote
	}
	if inside {
		out = append(out, word.String())
	}
	return out, nil
}
