package config

import (
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/aggregator/overrides"
	"github.com/weir-mcp/weir/policy"
)

// An override is what the user wants otherwise with one tool of a server.
type override struct {
	Name        *text               `yaml:"name"` // default: the server's own
	Title       *string             `yaml:"title"`
	Description *string             `yaml:"description"`
	Arguments   *argumentsOverrides `yaml:"arguments"`
}

type argumentsOverrides struct {
	Fixed   mapping[jsonText] `yaml:"fixed"`
	Default mapping[jsonText] `yaml:"default"`
	Hide    []text            `yaml:"hide"`
}

// maxOverrideName is how long the name may be that a tool gets.
const maxOverrideName = 128

// overrides makes the overrides. If one is not understood the server is Broken: its
// tools would be offered as the user does not want them.
func (m *serverMaker) overrides() {
	s := &m.source.value
	m.made.Validate = s.Validate != nil && *s.Validate
	names := map[string]string{}
	for _, source := range s.Overrides {
		o := &overrides.Override{Title: source.value.Title, Description: source.value.Description}
		if n := source.value.Name; n != nil {
			o.Name = n.value
			m.checkToolName(source.key, *n)
			if first, twice := names[n.value]; twice {
				m.fail(n.pos, "overrides.%s.name: tool %q gets this name too", source.key, first)
			}
			names[n.value] = source.key
		}
		if a := source.value.Arguments; a != nil {
			m.overrideArguments(source.key, o, a)
		}
		if m.made.Overrides == nil {
			m.made.Overrides = map[string]*overrides.Override{}
		}
		m.made.Overrides[source.key] = o
	}
}

func (m *serverMaker) checkToolName(tool string, name text) {
	if name.value == "" || len(name.value) > maxOverrideName || strings.ContainsFunc(name.value, isControl) {
		m.fail(name.pos, "overrides.%s.name: want 1 to %d characters", tool, maxOverrideName)
	}
}

func (m *serverMaker) overrideArguments(tool string, o *overrides.Override, a *argumentsOverrides) {
	seen := map[string]string{}
	note := func(list, name string, pos policy.Position) {
		if first, twice := seen[name]; twice {
			m.fail(pos, "overrides.%s.arguments.%s: argument %q stands under %s too", tool, list, name, first)
		}
		seen[name] = list
	}
	for _, fixed := range a.Fixed {
		note("fixed", fixed.key, fixed.pos)
		o.Fixed = append(o.Fixed, overrides.Argument{Name: fixed.key, Value: m.json(fmt.Sprintf("overrides.%s.arguments.fixed.%s", tool, fixed.key), fixed.value)})
	}
	for _, standard := range a.Default {
		note("default", standard.key, standard.pos)
		o.Default = append(o.Default, overrides.Argument{Name: standard.key, Value: m.json(fmt.Sprintf("overrides.%s.arguments.default.%s", tool, standard.key), standard.value)})
	}
	for _, hidden := range a.Hide {
		note("hide", hidden.value, hidden.pos)
		o.Hide = append(o.Hide, hidden.value)
	}
}

// json refuses references, which are not expanded in arguments: they would be shown
// to people and written into records.
func (m *serverMaker) json(key string, value jsonText) []byte {
	if strings.Contains(string(value.raw), "${") {
		m.fail(value.pos, "%s: references (${…}) are not expanded here", key)
	}
	return value.raw
}
