package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestAuthKeysAreShown: each key of auth stands in the example, live or as a
// comment, and in the table of all keys.
func TestAuthKeysAreShown(t *testing.T) {
	for _, place := range []struct{ file, form string }{
		{"mcp.yaml.example", `(?m)[{ ]%s:( |$)|\b(or|with) %s\b`},
		{filepath.Join("docs", "configuration.md"), "(?m)^\\|.*`%s`.*\\|"},
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", place.file))
		if err != nil {
			t.Fatal(err)
		}
		for _, keys := range []any{bearerAuth{}, apiKeyAuth{}, basicAuth{}, oauth{}, identityProvider{}} {
			for _, field := range reflect.VisibleFields(reflect.TypeOf(keys)) {
				key := field.Tag.Get("yaml")
				if key == "" || key == "type" {
					continue
				}
				form := strings.ReplaceAll(place.form, "%s", key)
				if !regexp.MustCompile(form).Match(text) {
					t.Errorf("%s does not show the key %q of %T", place.file, key, keys)
				}
			}
		}
	}
}
