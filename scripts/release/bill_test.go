package main

import (
	"encoding/json"
	"net/url"
	"path"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
)

// TestBill: the bill is one by the schema of its format, and says what is in which
// binary.
func TestBill(t *testing.T) {
	r := fakeRelease(t)
	b, err := newBill(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := indented(b)
	if err != nil {
		t.Fatal(err)
	}
	var got bill
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	uses := map[string][]string{}
	for _, d := range got.Dependencies {
		uses[d.Ref] = d.Uses
	}
	std, one, windows := "pkg:golang/std@1.26.8", "pkg:golang/github.com/example/one@v1.2.3%2Bincompatible", "pkg:golang/example.com/windows@v0.1.0"
	if diff := cmp.Diff([]string{std, one}, uses["file:weir_"+testVersion+"_linux_arm64"]); diff != "" {
		t.Errorf("linux: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{std, one, windows}, uses["file:weir_"+testVersion+"_windows_amd64"]); diff != "" {
		t.Errorf("windows: -want +got:\n%s", diff)
	}
	if n := len(uses["pkg:golang/"+modulePath+"@v"+testVersion]); n != len(allPlatforms) {
		t.Errorf("weir has %d binaries, want %d", n, len(allPlatforms))
	}
	refs := map[string]bool{got.Metadata.Component.Ref: true}
	for _, c := range got.Components {
		if refs[c.Ref] {
			t.Errorf("%s is there twice", c.Ref)
		}
		refs[c.Ref] = true
		if c.Ref == windows && c.Licences != nil || c.Ref == one && (len(c.Licences) != 1 || c.Licences[0].Licence.ID != "MIT") {
			t.Errorf("%s: got licences %v", c.Ref, c.Licences)
		}
	}
	for _, d := range got.Dependencies {
		for _, ref := range append(d.Uses, d.Ref) {
			if !refs[ref] {
				t.Errorf("%s uses %s, which is no component", d.Ref, ref)
			}
		}
	}
	again, err := newBill(fakeRelease(t))
	if err != nil || again.Serial != b.Serial {
		t.Errorf("the same bill has another serial number (%v)", err)
	}
	validateBill(t, text)
}

// validateBill holds a bill against the schema that its format has published.
func validateBill(t *testing.T, text []byte) {
	t.Helper()
	folder := filepath.Join(needNpm(t, "@cyclonedx/cyclonedx-library"), "res", "schema")
	schema := readSchema(t, filepath.Join(folder, "bom-1.6.SNAPSHOT.schema.json"))
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{
		Loader: func(uri *url.URL) (*jsonschema.Schema, error) {
			return readSchema(t, filepath.Join(folder, path.Base(uri.Path))), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(value); err != nil {
		t.Errorf("the bill is none by its schema: %v", err)
	}
	value["serialNumber"] = "7"
	if resolved.Validate(value) == nil {
		t.Error("the schema takes anything")
	}
}

func readSchema(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	var schema jsonschema.Schema
	if err := json.Unmarshal([]byte(readFile(t, path)), &schema); err != nil {
		t.Fatal(err)
	}
	return &schema
}
