package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func TestTraits(t *testing.T) {
	for raw, want := range map[string]traits{
		`{"name":"x"}`: 0,
		`{"name":"x","outputSchema":{"type":"object"}}`:                     0,
		`{"name":"x","outputSchema":{"a":1,"type":"array"}}`:                looseOutput,
		`{"name":"x","outputSchema":{"type":["object"]}}`:                   looseOutput,
		`{"name":"x","outputSchema":{"anyOf":[]}}`:                          looseOutput,
		`{"name":"x","outputSchema":null}`:                                  looseOutput,
		`{"name":"x","outputSchema":true}`:                                  looseOutput,
		`{"name":"x","outputSchema":{"type":"object"},"outputSchema":{}}`:   looseOutput,
		`{"name":"x","OutputSchema":{}}`:                                    0,
		`{"name":"x","inputSchema":{"outputSchema":{}}}`:                    0,
		`{"name":"x","_meta":{"ui":{"visibility":["app"]}}}`:                appOnly,
		`{"name":"x","_meta":{"ui":{"visibility":["app","model"]}}}`:        0,
		`{"name":"x","_meta":{"ui":{"visibility":["model"]}}}`:              0,
		`{"name":"x","_meta":{"ui":{"visibility":"app"}}}`:                  0,
		`{"name":"x","_meta":{"visibility":["app"],"ui":7}}`:                0,
		`{"name":"x","_meta":{"ui":{"resourceUri":"ui://x"}}}`:              hasPage,
		`{"name":"x","_meta":{"ui/resourceUri":"ui://x"}}`:                  hasPage,
		`{"name":"x","_meta":{"ui/resourceUri":7,"ui":{"resourceUri":{}}}}`: 0,
		`{"name":"x","execution":{"taskSupport":"required"}}`:               needsTask,
		`{"name":"x","execution":{"taskSupport":"optional"}}`:               0,
		`{"name":"x","_meta":7}`:                                            0,
	} {
		if got := item(t, raw).traits; got != want {
			t.Errorf("%s: got traits %b, want %b", raw, got, want)
		}
	}
	if i, err := ParseItem(Prompts, []byte(`{"name":"x","outputSchema":7}`)); err != nil || i.traits != 0 {
		t.Errorf("prompt: got traits %b, %v, want none", i.traits, err)
	}
}

func TestLegacyDefinition(t *testing.T) {
	for raw, want := range map[string]string{
		`{"name":"x", "outputSchema" : {} ,"z":1e400}`:                             `{"name":"s__x" ,"z":1e400}`,
		`{ "outputSchema":{}, "name":"x"}`:                                         `{ "name":"s__x"}`,
		`{"outputSchema":{},"outputSchema":1,"name":"x","outputSchema":2,"z":[ ]}`: `{"name":"s__x","z":[ ]}`,
		`{"name":"x","outputSchema":{}}`:                                           `{"name":"s__x"}`,
		`{"name":"x","outputSchema":{"type":"object"}}`:                            `{"name":"s__x","outputSchema":{"type":"object"}}`,
	} {
		r := &Route{Exposed: "s__x", Item: item(t, raw)}
		if diff := cmp.Diff(want, string(r.AppendDefinition(nil, Shape{Legacy: true}))); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", raw, diff)
		}
	}
	both := sharing(t, "b", "show=ui://app/x")
	both.Lists.Tools.Items[0] = item(t, `{"outputSchema":[],"_meta":{"ui/resourceUri":"ui://app/x"},"name":"show"}`)
	s := Merge(namespace.Rules{}, []Server{sharing(t, "a", "ui://app/x"), both})
	got := string(s.Routes(Tools)[0].AppendDefinition(nil, Shape{Legacy: true}))
	if want := `{"_meta":{"ui/resourceUri":"ui://b.app/x"},"name":"b__show"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A name that stays as it is stays as it is written.
func TestDefinitionOfItsOwnName(t *testing.T) {
	raw := `{"uri":"file:\/\/\/\u0061","name":"\u0061"}`
	i, err := ParseItem(Resources, []byte(raw))
	if err != nil || i.Name() != "file:///a" {
		t.Fatalf("got %q, %v, want the URI", i.Name(), err)
	}
	if got := string((&Route{Kind: Resources, Exposed: i.Name(), Item: i}).AppendDefinition(nil, Shape{})); got != raw {
		t.Errorf("got %s, want %s", got, raw)
	}
}

// FuzzLegacyDefinition: what is left is the same object without the member, and
// its other members are as they were.
func FuzzLegacyDefinition(f *testing.F) {
	f.Add(`{"name":"x","outputSchema":{}}`)
	f.Add(`{"outputSchema":{} , "outputSchema":1,"a":[{"outputSchema":2}],"name":"x",  "output\u0053chema":3}`)
	f.Add(`{"outputSchema":1,"_meta":{"ui":{"resourceUri":"a"}},"outputSchema":1,"name":"x"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		i, err := ParseItem(Tools, []byte(raw))
		if err != nil {
			return
		}
		got := (&Route{Exposed: i.Name(), Item: i, asSent: true}).AppendDefinition(nil, Shape{Legacy: true})
		before, _ := jsonrpc.ParseObject(nil, []byte(raw))
		after, err := jsonrpc.ParseObject(nil, got)
		if err != nil {
			t.Fatalf("%s became %s: %v", raw, got, err)
		}
		var want []jsonrpc.Member
		for _, m := range before {
			if i.traits&looseOutput == 0 || string(m.Key) != "outputSchema" {
				want = append(want, m)
			}
		}
		if diff := cmp.Diff(want, after); diff != "" {
			t.Errorf("%s became %s (-want +got):\n%s", raw, got, diff)
		}
	})
}

// A tool that needs a task is one that may have one, to a host for which weir
// waits for its end.
func TestPolledDefinition(t *testing.T) {
	const needs = `{"name":"x", "execution" : {"a":1, "taskSupport":"required"},"outputSchema":[]}`
	for _, tt := range []struct {
		raw    string
		modern bool
		in     Shape
		want   string
	}{
		{needs, false, Shape{Polled: true}, `{"name":"s__x", "execution" : {"a":1, "taskSupport":"optional"},"outputSchema":[]}`},
		{needs, false, Shape{Polled: true, Legacy: true}, `{"name":"s__x", "execution" : {"a":1, "taskSupport":"optional"}}`},
		{needs, false, Shape{Legacy: true}, `{"name":"s__x", "execution" : {"a":1, "taskSupport":"required"}}`},
		{needs, false, Shape{}, `{"name":"s__x", "execution" : {"a":1, "taskSupport":"required"},"outputSchema":[]}`},
		{needs, true, Shape{Polled: true}, `{"name":"s__x", "execution" : {"a":1, "taskSupport":"required"},"outputSchema":[]}`},
		{`{"name":"x","execution":{"taskSupport":"forbidden"}}`, false, Shape{Polled: true}, `{"name":"s__x","execution":{"taskSupport":"forbidden"}}`},
		{`{"name":"x","execution":7}`, false, Shape{Polled: true}, `{"name":"s__x","execution":7}`},
	} {
		lists := &Lists{Modern: tt.modern, Tools: List{Fetched: noon, Items: []Item{item(t, tt.raw)}}}
		s := Merge(namespace.Rules{}, []Server{{Server: namespace.Server{Name: "s", Prefix: "s"}, Lists: lists}})
		if got := string(s.Routes(Tools)[0].AppendDefinition(nil, tt.in)); got != tt.want {
			t.Errorf("%s, %+v: got %s, want %s", tt.raw, tt.in, got, tt.want)
		}
	}
}
