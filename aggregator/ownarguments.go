package aggregator

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// ownArguments are the arguments of one of weir's own tools while they are read.
// What is wrong with them is gathered, so that all of it can be told at once.
type ownArguments struct {
	members  []jsonrpc.Member
	known    []string
	problems []string
}

// readOwnArguments reads raw arguments; nil are none, and so is null, which some
// hosts send for no arguments. What could be read in two ways is wrong.
func readOwnArguments(raw []byte) *ownArguments {
	a := &ownArguments{}
	if raw == nil || string(raw) == "null" {
		return a
	}
	a.members = a.object("arguments", raw)
	return a
}

// object returns the members of an object of which none stands twice.
func (a *ownArguments) object(what string, raw []byte) []jsonrpc.Member {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		a.fail("%s: want an object", what)
		return nil
	}
	if why := ambiguous(members, nil); why != "" {
		a.fail("%s: %s", what, why)
		return nil
	}
	return members
}

func (a *ownArguments) fail(format string, args ...any) {
	a.problems = append(a.problems, fmt.Sprintf(format, args...))
}

// raw returns an argument; nil if it is not there.
func (a *ownArguments) raw(key string) []byte {
	a.known = append(a.known, key)
	return jsonrpc.Find(a.members, key)
}

// text returns an argument that may be left out.
func (a *ownArguments) text(key string) string {
	raw := a.raw(key)
	if raw == nil {
		return ""
	}
	text, err := jsonrpc.String(raw)
	if err != nil {
		a.fail("%s: want a string", key)
	}
	return text
}

// need returns an argument that must be there.
func (a *ownArguments) need(key string) string {
	text := a.text(key)
	if text == "" && jsonrpc.Find(a.members, key) == nil {
		a.fail("%s: it is missing", key)
	} else if text == "" {
		a.fail("%s: it is empty, or no string", key)
	}
	return text
}

// oneOf is text where only some words are meant.
func (a *ownArguments) oneOf(key string, words ...string) string {
	text := a.text(key)
	if text != "" && !slices.Contains(words, text) {
		a.fail("%s: unknown word %q (want %s)", key, clip(text), strings.Join(words, ", "))
	}
	return text
}

// number returns a whole number from 1 to most; otherwise where it is left out.
func (a *ownArguments) number(key string, otherwise, most int) int {
	raw := a.raw(key)
	if raw == nil {
		return otherwise
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n != math.Trunc(n) || n < 1 || n > float64(most) {
		a.fail("%s: want a whole number from 1 to %d", key, most)
		return otherwise
	}
	return int(n)
}

func (a *ownArguments) list(key string) []string {
	raw := a.raw(key)
	if raw == nil {
		return nil
	}
	items, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		a.fail("%s: want an array of strings", key)
	}
	texts := make([]string, len(items))
	for i, item := range items {
		if texts[i], err = jsonrpc.String(item); err != nil {
			a.fail("%s: item %d: want a string", key, i+1)
		}
	}
	return texts
}

func (a *ownArguments) texts(key string) map[string]string {
	raw := a.raw(key)
	if raw == nil {
		return nil
	}
	texts := make(map[string]string)
	for _, m := range a.object(key, raw) {
		name := string(m.Key)
		text, err := jsonrpc.String(m.Value)
		if err != nil {
			a.fail("%s: %q: want a string", key, clip(name))
		}
		texts[name] = text
	}
	return texts
}

// wrong is all that is wrong with what was asked for, and with what was not; ""
// for nothing.
func (a *ownArguments) wrong() string {
	for _, m := range a.members {
		if key := string(m.Key); !slices.Contains(a.known, key) {
			a.fail("%q: there is no such argument (there are: %s)", clip(key), joined(a.known))
		}
	}
	if len(a.problems) == 0 {
		return ""
	}
	return "The arguments are wrong. " + strings.Join(a.problems, ". ") + "."
}
