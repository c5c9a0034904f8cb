package config

import (
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/state"
)

// maxEnvFile bounds an env_file, in bytes.
const maxEnvFile = 1 << 20

// readEnvFile reads lines of KEY=value: blank ones and those that begin with #
// are passed over, a leading "export" too, and a pair of quotes around a value
// is taken off. There are no escapes and no references.
func readEnvFile(path string, sources *Sources) (vars map[string]string, warnings []string, err error) {
	data, _, err := state.ReadFile(path, maxEnvFile)
	sources.Note(path, maxEnvFile, data, err)
	if err != nil {
		return nil, nil, err
	}
	vars = map[string]string{}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		key = strings.TrimSpace(key)
		if !ok || !isVariable(key) {
			pos := policy.Position{File: path, Line: number}
			warnings = append(warnings, fmt.Sprintf("%s: passing over a line that is not KEY=value", pos))
			continue
		}
		vars[key] = unquote(strings.TrimSpace(value))
	}
	return vars, warnings, nil
}

func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}
