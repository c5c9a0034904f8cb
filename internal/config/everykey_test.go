package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryKeyIsShown: each key that a configuration can have stands in the example,
// live or as a comment, and in a document.
func TestEveryKeyIsShown(t *testing.T) {
	keys := map[string]bool{}
	keysOf(reflect.TypeFor[document](), map[reflect.Type]bool{}, keys)
	if len(keys) < 100 {
		t.Fatalf("got %d keys, want more than 100: has the way they are marked changed?", len(keys))
	}
	for _, place := range []struct {
		files []string
		form  string
	}{
		{[]string{"mcp.yaml.example"}, `(?m)(^|[{ ])%s:( |$)|\b(or|with) %s\b`},
		{[]string{"docs/configuration.md", "docs/policy.md", "docs/observability.md"}, `\b%s\b`},
	} {
		var all []byte
		for _, file := range place.files {
			text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		for key := range keys {
			if !regexp.MustCompile(strings.ReplaceAll(place.form, "%s", key)).Match(all) {
				t.Errorf("%v: the key %q is not shown", place.files, key)
			}
		}
	}
}

// keysOf gathers the keys of a type, and of those in it.
func keysOf(t reflect.Type, seen map[reflect.Type]bool, keys map[string]bool) {
	if slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array}, t.Kind()) {
		keysOf(t.Elem(), seen, keys)
		return
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	for _, field := range reflect.VisibleFields(t) {
		if key := field.Tag.Get("yaml"); key != "" && key != "-" {
			key, _, _ = strings.Cut(key, ",")
			keys[key] = true
		}
		keysOf(field.Type, seen, keys)
	}
}
