package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
)

func compile(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Compile([]byte(text))
	if err != nil {
		t.Fatalf("Compile(%.200s): %v", text, err)
	}
	return s
}

func problems(s *Schema, value string) []string {
	var out []string
	for _, p := range s.Check([]byte(value)) {
		out = append(out, p.String())
	}
	return out
}

func TestProblems(t *testing.T) {
	const search = `{"type":"object","properties":{
		"query":{"type":"string","minLength":1},
		"limit":{"type":"integer","minimum":1,"maximum":100},
		"kind":{"enum":["issue","pull"]},
		"sort":{"anyOf":[{"type":"string"},{"type":"null"}]},
		"filter":{"type":"object","properties":{"tags":{"type":"array","items":{"type":"string","pattern":"^[a-z]+$"},"maxItems":3,"uniqueItems":true}},
			"required":["tags"],"additionalProperties":false},
		"size":{"oneOf":[{"type":"object","properties":{"w":{"type":"integer"}},"required":["w"]},{"type":"object","properties":{"h":{"type":"integer"}},"required":["h"]}]}
	},"required":["query"],"additionalProperties":false}`
	for _, tt := range []struct {
		name, schema, value string
		want                []string
	}{
		{"good", search, `{"query":"a","limit":5,"kind":"issue","sort":null,"filter":{"tags":["a","b"]},"size":{"h":1}}`, nil},
		{"all at once", search, `{"limit":0,"kind":"other","sort":5,"filter":{"tags":["a","B","a","a"],"more":1},"what":1}`, []string{
			`"query" is missing`,
			`"limit" must be at least 1`,
			`"kind" must be one of "issue", "pull"`,
			`"sort" must be a string or null, not an integer`,
			`"filter.tags" must have at most 3 items, not 4`,
			`"filter.tags[1]" must match the pattern ^[a-z]+$`,
			`"filter.tags" must not have an item twice, as [0] and [2] are`,
			`"filter.more" is not known (known: tags)`,
			`"what" is not known (known: query, limit, kind, sort, filter, size)`,
		}},
		{"nearest form", search, `{"query":"a","size":{"h":"x"}}`, []string{
			`"size" has none of the 2 forms that it may have; by the nearest of them:`,
			`"size.w" is missing`,
		}},
		{"both forms", search, `{"query":"a","size":{"h":1,"w":1}}`, []string{`"size" fits 2 forms of which it may have one`}},
		{"root", search, `[]`, []string{`the value must be an object, not an array`}},
		{"member twice", search, `{"query":"a","query":"b"}`, []string{`the value cannot be checked: member "query" stands twice`}},
		{"strange names", `{"properties":{"a.b":{"properties":{"":{"type":"null"}}}}}`, `{"a.b":{"":1}}`, []string{`"\"a.b\".\"\"" must be null, not an integer`}},

		{"whole float", `{"type":"integer"}`, `5.0`, nil},
		{"whole by exponent", `{"type":"integer"}`, `1.5e1`, nil},
		{"no integer", `{"type":"integer"}`, `5.5`, []string{`the value must be an integer, not a number`}},
		{"large integer", `{"type":"integer","maximum":9007199254740992}`, `9007199254740993`, []string{`the value must be at most 9007199254740992`}},
		{"large integer in enum", `{"enum":[9007199254740993]}`, `9007199254740992`, []string{`the value must be 9007199254740993`}},
		{"huge integer", `{"type":"integer","minimum":1e300}`, `1` + strings.Repeat("0", 300), nil},
		{"exponent bomb", `{"type":"integer"}`, `1e999999999`, []string{`the value cannot be checked: the number 1e999999999 has too many digits`}},
		{"multiple", `{"multipleOf":0.01}`, `19.99`, nil},
		{"digits of a number are no text", `{"type":"string"}`, `12345678901234567890123`, []string{`the value must be a string, not an integer`}},
		{"unicode length", `{"maxLength":1}`, `"😀"`, nil},
		{"unicode pattern", `{"pattern":"^\\u00e9$"}`, `"é"`, nil},

		{"draft-07 by name", `{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"string"}],"additionalItems":false}`, `["a",1]`, []string{`"[1]" is not allowed`}},
		{"draft-07 without its mark", `{"$schema":"https://json-schema.org/draft-07/schema","dependencies":{"a":["b"]}}`, `{"a":1}`, []string{`"b" is missing ("a" needs it)`}},
		{"definitions", `{"$ref":"#/definitions/x","definitions":{"x":{"type":"null"}},"$defs":{}}`, `1`, []string{`the value must be null, not an integer`}},
		{"recursive", `{"properties":{"next":{"$ref":"#"}},"additionalProperties":false}`, `{"next":{"next":{"prev":1}}}`, []string{`"next.next.prev" is not known (known: next)`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, problems(compile(t, tt.schema), tt.value)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemsAreFew(t *testing.T) {
	form := `{"properties":{"a":{"type":"null"}},"required":["b"]}`
	many := problems(compile(t, `{"items":{"anyOf":[`+form+`,`+form+`]}}`), `[`+strings.Repeat(`{"a":1},`, 10_000)+`{}]`)
	if len(many) != maxProblems+1 {
		t.Errorf("%d problems with forms", len(many))
	}
	got := problems(compile(t, `{"items":{"type":"null"}}`), `[`+strings.Repeat("1,", 10_000)+`1]`)
	if len(got) != maxProblems+1 || got[maxProblems] != "the value has 9981 more problems" {
		t.Errorf("%d problems, the last is %q", len(got), got[len(got)-1])
	}
}

// A value of more parts than may be looked at is a problem, and no more; one of as
// many is checked.
func TestValueParts(t *testing.T) {
	s, err := Compile([]byte(`{"type":"array"}`))
	if err != nil {
		t.Fatal(err)
	}
	half := "[" + strings.Repeat("1,", maxValueNodes/2-3) + "1]" // its elements and itself
	if got := s.Check([]byte("[" + half + "," + half + ",1]")); got != nil {
		t.Errorf("as many as may be: got %v", got)
	}
	if got := s.Check([]byte("[" + half + "," + half + ",1,1]")); len(got) != 1 || !strings.Contains(got[0].Text, "too many parts") {
		t.Errorf("one more: got %v, want that it cannot be checked", got)
	}
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                               `a schema must be an object or a boolean`,
		`{`:                                `schema is not JSON`,
		`{"type":"strin"}`:                 `keyword "type": want the name of a type`,
		`{"minimum":"1"}`:                  `keyword "minimum": want a number`,
		`{"maxLength":-1}`:                 `keyword "maxLength": want a whole number`,
		`{"pattern":"(?=a)"}`:              `pattern "(?=a)" is not supported`,
		`{"$dynamicRef":"#a"}`:             `keyword "$dynamicRef" is not supported`,
		`{"$ref":"https://example.com/x"}`: `it leads out of the schema`,
		`{"$ref":"file:///etc/passwd"}`:    `it leads out of the schema`,
		`{"$ref":"#/$defs/none"}`:          `there is nothing there`,
		`{"$schema":"http://json-schema.org/draft-04/schema#"}`:          `unknown draft`,
		`{"properties":{"a":1}}`:                                         `a schema must be an object or a boolean`,
		strings.Repeat(`{"not":`, 200) + `{}` + strings.Repeat(`}`, 200): `nested deeper`,
		`{"enum":[` + strings.Repeat(" ", maxText) + `]}`:                `schema has`,
		`{"anyOf":[` + strings.Repeat(`{},`, maxNodes) + `{}]}`:          `more than 20000 parts`,
	} {
		if _, err := Compile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Compile(%.80s): %v, want %q", text, err, want)
		}
	}
}

// TestHostileSchemas: whatever a server lists, checking ends soon.
func TestHostileSchemas(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(16 << 20)) // going beyond ends the process
	var doubling strings.Builder
	doubling.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range 40 {
		fmt.Fprintf(&doubling, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	doubling.WriteString(`"d40":{"type":"object"}}}`)
	nested := strings.Repeat(`{"a":`, 150) + `1` + strings.Repeat(`}`, 150)
	for name, tt := range map[string]struct{ schema, value string }{
		"itself":          {`{"$ref":"#"}`, `{}`},
		"itself in not":   {`{"not":{"$ref":"#"}}`, `{}`},
		"a ring":          {`{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"$ref":"#/$defs/a"}}}`, `{}`},
		"doubling":        {doubling.String(), `{}`},
		"doubling deeper": {`{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`, nested},
		"slow pattern":    {`{"items":{"pattern":"(a{1,500}){1,2}$"}}`, `["` + strings.Repeat("a", 4<<20) + `b"]`},
		"large enum":      {`{"enum":[` + strings.Repeat(`{"a":1},`, 9_000) + `{}]}`, `{"a":"` + strings.Repeat("x", 8<<20) + `"}`},
		"too deep":        {`{}`, strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000)},
		"too many":        {`{}`, `[` + strings.Repeat(`1,`, 100_000) + strings.Repeat(`[1],`, 100_000) + `1]`},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			got := problems(compile(t, tt.schema), tt.value)
			if len(got) != 1 || !strings.Contains(got[0], "cannot be checked") && name != "large enum" {
				t.Errorf("problems %.300q", got)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestAgainstOther compares with another implementation, on schemas and values
// made at random.
func TestAgainstOther(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	compared, refused := 0, 0
	for range 5_000 {
		g := &generator{rng}
		text, value := g.schema(3), g.value(3)
		own, err := Compile([]byte(text))
		var other jsonschema.Schema
		if otherErr := json.Unmarshal([]byte(text), &other); err != nil || otherErr != nil {
			t.Fatalf("%s: %v, %v", text, err, otherErr)
		}
		resolved, err := other.Resolve(nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			t.Fatal(err)
		}
		got, want := own.Check([]byte(value)), resolved.Validate(v)
		if (got == nil) != (want == nil) {
			t.Errorf("schema %s\nvalue %s\n got %v\nwant %v", text, value, got, want)
		}
		compared++
		if want != nil {
			refused++
		}
	}
	if refused < compared/10 || refused > compared*9/10 {
		t.Errorf("%d of %d values do not fit: this compares little", refused, compared)
	}
}

// A generator writes small schemas and values that often have to do with each
// other.
type generator struct{ *rand.Rand }

func (g *generator) pick(texts ...string) string { return texts[g.IntN(len(texts))] }

func (g *generator) value(depth int) string {
	n := g.IntN(9)
	if depth == 0 {
		n = g.IntN(6)
	}
	switch n {
	case 0:
		return g.pick("null", "true", "false")
	case 1, 2:
		return g.pick("0", "1", "2.0", "2.5", "-3", "10")
	case 3, 4, 5:
		return g.pick(`""`, `"a"`, `"ab"`, `"abc"`, `"1"`)
	case 6:
		var items []string
		for range g.IntN(4) {
			items = append(items, g.value(depth-1))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return g.object(func() string { return g.value(depth - 1) })
}

func (g *generator) object(value func() string) string {
	var members []string
	for _, name := range []string{"a", "b", "ab"} {
		if g.IntN(2) == 0 {
			members = append(members, `"`+name+`":`+value())
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (g *generator) schema(depth int) string {
	if depth == 0 || g.IntN(12) == 0 {
		return g.pick("true", "false", "{}", `{"type":"string"}`, `{"type":"integer"}`, `{"minLength":2}`)
	}
	sub := func() string { return g.schema(depth - 1) }
	list := func() string { return "[" + sub() + "," + sub() + "]" }
	keywords := map[string]func() string{
		"type": func() string {
			return g.pick(`"string"`, `"integer"`, `"number"`, `"object"`, `"array"`, `["object","array"]`, `["null","boolean","object"]`)
		},
		"enum": func() string { return "[" + g.value(1) + "," + g.value(1) + "]" }, "const": func() string { return g.value(1) },
		"minimum": func() string { return g.pick("0", "1.5") }, "exclusiveMaximum": func() string { return g.pick("2", "10") },
		"multipleOf": func() string { return g.pick("1", "2", "0.5") },
		"minLength":  func() string { return g.pick("1", "2") }, "maxLength": func() string { return g.pick("1", "2") },
		"pattern": func() string { return g.pick(`"^a"`, `"b$"`) },
		"items":   sub, "prefixItems": list, "contains": sub, "minItems": func() string { return g.pick("1", "2") },
		"uniqueItems": func() string { return "true" }, "unevaluatedItems": sub,
		"properties": func() string { return g.object(sub) }, "patternProperties": func() string { return `{"^a":` + sub() + `}` },
		"additionalProperties": sub, "required": func() string { return g.pick(`["a"]`, `["a","b"]`) }, "propertyNames": sub,
		"maxProperties": func() string { return g.pick("1", "2") }, "dependentRequired": func() string { return `{"a":["b"]}` },
		"dependentSchemas": func() string { return `{"b":` + sub() + `}` }, "unevaluatedProperties": sub,
		"allOf": list, "anyOf": list, "oneOf": list, "not": sub, "if": sub, "then": sub, "else": sub,
	}
	var members []string
	for _, name := range g.names(keywords) {
		members = append(members, `"`+name+`":`+keywords[name]())
	}
	return "{" + strings.Join(members, ",") + "}"
}

// names picks one to three keywords.
func (g *generator) names(keywords map[string]func() string) []string {
	all := []string{
		"type", "enum", "const", "minimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "items", "prefixItems",
		"contains", "minItems", "uniqueItems", "unevaluatedItems", "properties", "properties", "patternProperties", "additionalProperties",
		"required", "propertyNames", "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "allOf", "anyOf",
		"oneOf", "not", "if", "then", "else",
	}
	picked := map[string]bool{}
	var names []string
	for range 1 + g.IntN(3) {
		if name := all[g.IntN(len(all))]; !picked[name] && keywords[name] != nil {
			picked[name] = true
			names = append(names, name)
		}
	}
	return names
}

// FuzzCheck: no schema and no value does harm.
func FuzzCheck(f *testing.F) {
	f.Add(`{"$ref":"#/$defs/a","$defs":{"a":{"type":["string","null"],"pattern":"^a"}}}`, `"a"`)
	f.Add(`{"$id":"http://x/y","$ref":"y#z","$defs":{"a":{"$anchor":"z","not":{"$ref":"#"}}}}`, `{"a":[1,2.0]}`)
	f.Add(`{"unevaluatedProperties":false,"anyOf":[{"properties":{"a":true}}]}`, `{"a":1,"b":1e5}`)
	f.Fuzz(func(t *testing.T, text, value string) {
		s, err := Compile([]byte(text))
		if err != nil || !json.Valid([]byte(value)) {
			return
		}
		s.Check([]byte(strings.TrimSpace(value)))
	})
}

func BenchmarkCheck(b *testing.B) {
	s := compile(b, `{"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer","minimum":1}},"required":["path"],"additionalProperties":false}`)
	value := []byte(`{"path":"/home/me/notes.txt","limit":20}`)
	b.ReportAllocs()
	for b.Loop() {
		if s.Check(value) != nil {
			b.Fatal("it fits")
		}
	}
}
