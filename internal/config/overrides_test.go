package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/overrides"
)

func TestOverrides(t *testing.T) {
	f := load(t, "mcp.yaml", `
servers:
  a:
    command: x
    validate: true
    overrides:
      search:
        name: find
        description: Finds.
        arguments:
          fixed: {org: acme, ids: [1, 2.50, null], deep: {b: 1, a: yes}}
          default: {limit: 20}
          hide: [debug]
      other: {title: Other}
`)
	s := f.Servers[0]
	description, title := "Finds.", "Other"
	want := map[string]*overrides.Override{
		"search": {
			Name: "find", Description: &description,
			Fixed:   []overrides.Argument{{Name: "org", Value: []byte(`"acme"`)}, {Name: "ids", Value: []byte(`[1,2.50,null]`)}, {Name: "deep", Value: []byte(`{"b":1,"a":"yes"}`)}},
			Default: []overrides.Argument{{Name: "limit", Value: []byte(`20`)}},
			Hide:    []string{"debug"},
		},
		"other": {Title: &title},
	}
	if diff := cmp.Diff(want, s.Overrides); diff != "" || !s.Validate || s.Broken != nil {
		t.Errorf("validate %v, broken %v, overrides (-want +got):\n%s", s.Validate, s.Broken, diff)
	}
}

func TestBadOverrides(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"{x: {name: ''}}", `mcp.yaml:4: server "a": overrides.x.name: want 1 to 128 characters`},
		{"{x: {name: y}, z: {name: y}}", `mcp.yaml:4: server "a": overrides.z.name: tool "x" gets this name too`},
		{"{x: {arguments: {fixed: {a: 1}, hide: [a]}}}", `mcp.yaml:4: server "a": overrides.x.arguments.hide: argument "a" stands under fixed too`},
		{"{x: {arguments: {fixed: {a: '${HOME}'}}}}", `mcp.yaml:4: server "a": overrides.x.arguments.fixed.a: references (${…}) are not expanded here`},
	} {
		path := write(t, "mcp.yaml", "servers:\n  a:\n    command: x\n    overrides: "+tt.text+"\n")
		f, err := Load(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if f.Servers[0].Broken == nil || bare(path, f.Servers[0].Broken.Error()) != tt.want {
			t.Errorf("%s: got %v, want %s", tt.text, f.Servers[0].Broken, tt.want)
		}
	}
}
