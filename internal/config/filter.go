package config

import (
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
)

// A filter selects tools by globs over their original names.
type filter struct {
	Include []string `yaml:"include"`
	Exclude []string `yaml:"exclude"`
}

// noTools are the filters where what was written is not understood.
var noTools = policy.Filters{{Include: []policy.Glob{}}}

// compile returns what the filter selects, and noTools with an error.
func (f *filter) compile() (policy.Filters, error) {
	include, err := globs(f.Include)
	if err != nil {
		return noTools, fmt.Errorf("tools.include: %w", err)
	}
	exclude, err := globs(f.Exclude)
	if err != nil {
		return noTools, fmt.Errorf("tools.exclude: %w", err)
	}
	return policy.Filters{{Include: include, Exclude: exclude}}, nil
}

// globs keeps an absent list apart from an empty one.
func globs(patterns []string) ([]policy.Glob, error) {
	if patterns == nil {
		return nil, nil
	}
	parsed := make([]policy.Glob, len(patterns))
	for i, pattern := range patterns {
		var err error
		if parsed[i], err = policy.ParseGlob(pattern); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

// tree is the filter as it is written.
func (f *filter) tree() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if f.Include != nil {
		n.Content = append(n.Content, scalar("include"), sequenceOf(f.Include))
	}
	if f.Exclude != nil {
		n.Content = append(n.Content, scalar("exclude"), sequenceOf(f.Exclude))
	}
	return n
}
