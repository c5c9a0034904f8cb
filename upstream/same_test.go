package upstream

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/customtools"
)

// full is a configuration with something in every field.
func full() Config {
	return Config{
		Name: "a", Transport: Stdio, Disabled: true, Broken: errors.New("no such variable"),
		Command: "x", Args: []string{"-y"}, Env: map[string]string{"K": "v"}, InheritEnv: []string{"P"}, InheritAll: true,
		Dir: "/d", URL: "http://u", Headers: map[string]string{"H": "v"}, Subprotocol: "mcp", Timeout: 1, ConnectTimeout: 2,
		ListTimeout: 3, MessageLimit: 4, IdleStop: 5, Eager: true, Protocol: LatestLegacy, Identity: []byte("id"), Withheld: []string{"roots"},
		Auth:        auth.Config{Kind: auth.Bearer, Token: "t"},
		CustomTools: []customtools.Tool{{Name: "t"}},
		Resolve:     func(context.Context, string) (string, error) { return "", nil },
	}
}

// TestSame: no field may change unnoticed, be it one that is yet to come.
func TestSame(t *testing.T) {
	if !full().Same(full()) || !(Config{}).Same(Config{}) {
		t.Error("what is the same is told to be another")
	}
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		changed := full()
		field := reflect.ValueOf(&changed).Elem().Field(i)
		if field.IsZero() {
			t.Fatalf("full sets no %s", fields.Field(i).Name)
		}
		field.SetZero()
		if fields.Field(i).Name == "MessageLimit" {
			if !full().Same(changed) {
				t.Error("another limit, which can be set: got another")
			}
			continue
		}
		if full().Same(changed) || changed.Same(full()) {
			t.Errorf("without %s: got the same", fields.Field(i).Name)
		}
	}
	other := full()
	other.Broken, other.Timeout = errors.New("another"), full().Timeout
	if full().Same(other) {
		t.Error("broken for another reason: got the same")
	}
	other = full()
	other.Timeout += time.Second
	if full().Same(other) {
		t.Error("another timeout: got the same")
	}
}
