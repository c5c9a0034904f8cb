package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/policy"
)

// ReadExpectations reads a table of what somebody expects of policies: a list in
// YAML. The error lists all that is wrong with it, one line each.
func ReadExpectations(path string) ([]policy.Expectation, error) {
	data, err := readFile(path, maxFileSize)
	if err != nil {
		return nil, fmt.Errorf("reading the expectations: %w", err)
	}
	var nodes []yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&nodes); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: expectations are a list of rows: %s", path, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("%s: there are no expectations in it", path)
	}
	rows := make([]policy.Expectation, len(nodes))
	var errs []error
	for i := range nodes {
		if err := nodes[i].Decode(&rows[i]); err != nil {
			errs = append(errs, inFile(path, err))
		}
		rows[i].Pos.File = path
	}
	return rows, errors.Join(errs...)
}

// inFile gives an error of a row its file, and the word that was meant.
func inFile(path string, err error) error {
	e, ok := errors.AsType[*policy.ConfigError](err)
	if !ok {
		return fmt.Errorf("%s: %w", path, err)
	}
	e.Pos.File = path
	e.Nearest = spell.Nearest(e.Word, e.Known)
	return e
}
