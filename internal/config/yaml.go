package config

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
)

// parseYAML reads one YAML document; nil if there is nothing in it.
func parseYAML(path string, data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := d.Decode(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, yamlError(path, data, err)
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, yamlError(path, data, err)
		}
		at := policy.Position{File: path, Line: second.Line}
		return nil, &Error{Pos: at, Text: "a second document begins here; only one is read"}
	}
	root := first.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, nil
	}
	return root, nil
}

// yamlError gives an error of the YAML parser the form of ours. The parser counts
// lines from 0, and leaves 0 out, in the errors that begin with "did not find
// expected"; the end of the file has a line of its own there.
func yamlError(path string, data []byte, err error) error {
	said := strings.TrimPrefix(err.Error(), "yaml: ")
	at := policy.Position{File: path}
	if number, rest, ok := strings.Cut(strings.TrimPrefix(said, "line "), ": "); ok {
		if line, err := strconv.Atoi(number); err == nil {
			at.Line, said = line, rest
		}
	}
	if strings.HasPrefix(said, "did not find expected") {
		at.Line = min(at.Line+1, bytes.Count(data, []byte("\n"))+1)
	}
	return &Error{Pos: at, Text: "reading YAML: " + said}
}
