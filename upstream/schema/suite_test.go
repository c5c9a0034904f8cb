package schema

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// beyond are the parts of the official suite that need what this package does
// not do, by file and group ("" = all of it), with the reason.
var beyond = []struct{ draft, file, group, reason string }{
	{"", "dynamicRef", "", "$dynamicRef is not supported"},
	{"", "refRemote", "", "nothing is fetched"},
	{"", "format", "", "formats are not checked"},
	{"", "", "remote ref, containing refs itself", "nothing is fetched"},
	{"", "", "$dynamicRef", "$dynamicRef is not supported"},
	{"", "", "dynamic", "$dynamicRef is not supported"},
	{"", "", "metaschema", "nothing is fetched"},
}

func isBeyond(draft, file, group string) bool {
	for _, b := range beyond {
		if (b.draft == "" || b.draft == draft) && (b.file == "" || b.file == file) && strings.Contains(group, b.group) {
			return true
		}
	}
	return false
}

// TestOfficialSuite runs the JSON Schema Test Suite, which comes with the module
// that the tests compare with.
func TestOfficialSuite(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/jsonschema-go").Output()
	if err != nil {
		t.Fatalf("finding the suite: %v", err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "jsonschema", "testdata")
	for draft, dialect := range map[string]string{
		"draft2020-12": "", "draft7": "http://json-schema.org/draft-07/schema#",
	} {
		files, err := filepath.Glob(filepath.Join(root, draft, "*.json"))
		if err != nil || len(files) < 30 {
			t.Fatalf("%d files of %s (%v)", len(files), draft, err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			t.Run(draft+"/"+name, func(t *testing.T) { runSuite(t, file, draft, name, dialect) })
		}
	}
}

func runSuite(t *testing.T, file, draft, name, dialect string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Description string
		Schema      json.RawMessage
		Tests       []struct {
			Description string
			Data        json.RawMessage
			Valid       bool
		}
	}
	if err := json.Unmarshal(data, &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if isBeyond(draft, name, g.Description) {
			continue
		}
		text := string(g.Schema)
		if dialect != "" && text[0] == '{' && !strings.Contains(text, `"$schema"`) {
			comma := ","
			if strings.TrimSpace(text[1:]) == "}" {
				comma = ""
			}
			text = `{"$schema":"` + dialect + `"` + comma + text[1:]
		}
		s, err := Compile([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", g.Description, err)
			continue
		}
		for _, test := range g.Tests {
			problems := s.Check(test.Data)
			if (problems == nil) != test.Valid {
				t.Errorf("%s: %s: problems %v, want valid %v", g.Description, test.Description, problems, test.Valid)
			}
		}
	}
}
