package formats

import (
	"fmt"
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// An API is a model API that takes function definitions.
type API string

// The APIs.
const (
	OpenAI          API = "openai"           // Chat Completions, and what imitates it
	OpenAIResponses API = "openai-responses" // Responses
	Anthropic       API = "anthropic"        // Messages
	Gemini          API = "gemini"           // generateContent
)

// APIs are all of them, in the order in which help names them.
var APIs = []API{OpenAI, OpenAIResponses, Anthropic, Gemini}

// Parse returns the API called name; false if there is none.
func Parse(name string) (API, bool) {
	i := slices.Index(APIs, API(name))
	return API(name), i >= 0
}

// HasStrict reports whether definitions can ask the API to hold the model to
// their schema.
func (a API) HasStrict() bool { return a != Gemini }

// OptionalAsNull reports whether the API's strict definitions have a model say null
// for an argument that it leaves out (see WithoutNulls).
func (a API) OptionalAsNull() bool { return a == OpenAI || a == OpenAIResponses }

// A Tool is what a definition is made of.
type Tool struct {
	Name        string // as weir exposes it
	Description []byte // a raw JSON string; nil for none
	InputSchema []byte // raw; nil for none
}

// NewTool reads an entry of tools/list. A tool that has a title and no
// description is described by its title.
func NewTool(entry []byte) Tool {
	m, _ := jsonrpc.ParseObject(nil, entry)
	name, _ := jsonrpc.String(jsonrpc.Find(m, "name"))
	t := Tool{Name: name, InputSchema: jsonrpc.Find(m, "inputSchema")}
	for _, key := range []string{"description", "title"} {
		if raw := jsonrpc.Find(m, key); t.Description == nil && isString(raw) && string(raw) != `""` {
			t.Description = raw
		}
	}
	return t
}

// A Definition is a tool as an API takes it.
type Definition struct {
	Name   string // in that API
	Tool   string // as weir exposes it
	Raw    []byte
	Strict bool     // the API holds the model to the schema
	Notes  []string // what could not be kept, in words to follow the tool's name
}

// A Style is how definitions are written.
type Style struct {
	API    API
	Strict bool // wherever the schema allows it; only for an API that HasStrict
}

// Define returns the definitions of tools, in their order. notes are about all
// of them together.
func (s Style) Define(tools []Tool) (definitions []Definition, notes []string) {
	names := Names(s.API, tools)
	strict := 0
	for i, t := range tools {
		d := s.define(t, names[i])
		if d.Strict {
			strict++
		}
		definitions = append(definitions, d)
	}
	if s.API == Anthropic && strict > maxStrictAnthropic {
		notes = append(notes, fmt.Sprintf("%d strict tools; one request takes %d of them", strict, maxStrictAnthropic))
	}
	return definitions, notes
}

// maxStrictAnthropic is how many strict tools a request to Anthropic may have.
const maxStrictAnthropic = 20

func (s Style) define(t Tool, name string) Definition {
	var n notes
	if name != t.Name {
		n.add("is called "+name, "")
	}
	schema := s.fit(t.InputSchema, &n)
	d := Definition{Name: name, Tool: t.Name}
	if s.Strict {
		narrow, lost, err := strictSchema(dialects[s.API], schema)
		if err == nil {
			d.Strict, schema = true, narrow
			n = append(n, lost...)
		} else {
			n.add("is not strict: "+err.Error(), "")
		}
	}
	d.Notes = n.texts()
	d.Raw = s.definition(name, t.Description, schema, d.Strict)
	return d
}

// fit returns a schema as the API takes it without strictness.
func (s Style) fit(schema []byte, n *notes) []byte {
	switch {
	case !isObject(schema):
		return []byte(`{"type":"object","properties":{}}`)
	case s.API == Gemini || !isManageable(schema):
		return schema
	}
	fitted := flatRoot(schema, n)
	if s.API != Anthropic {
		fitted = withItems(withProperties(fitted))
	}
	return fitted
}

func (s Style) definition(name string, description, schema []byte, strict bool) []byte {
	function := []jsonrpc.Member{
		member("name", quote(name)),
		member("description", description),
	}
	switch s.API {
	case OpenAI:
		function = append(function, member("parameters", schema), member("strict", s.strictness(strict)))
		return write(member("type", quote("function")), member("function", write(function...)))
	case OpenAIResponses:
		function = slices.Insert(function, 0, member("type", quote("function")))
		function = append(function, member("parameters", schema), member("strict", truth(strict)))
	case Anthropic:
		function = append(function, member("input_schema", schema), member("strict", s.strictness(strict)))
	case Gemini:
		function = append(function, member("parametersJsonSchema", schema))
	}
	return write(function...)
}

// strictness is the member of an API that is not strict unless asked to be: it
// is left out if nobody has asked. The Responses API is strict unless told
// otherwise.
func (s Style) strictness(strict bool) []byte {
	if !s.Strict {
		return nil
	}
	return truth(strict)
}

// Document returns definitions as the value of the member "tools" of a request,
// one to a line.
func (a API) Document(definitions []Definition) []byte {
	raw := []byte("[")
	if a == Gemini {
		raw = []byte(`[{"functionDeclarations":[`)
	}
	for i, d := range definitions {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(append(raw, '\n'), d.Raw...)
	}
	if a == Gemini {
		return append(raw, "\n]}]\n"...)
	}
	return append(raw, "\n]\n"...)
}

func truth(b bool) []byte {
	if b {
		return []byte("true")
	}
	return []byte("false")
}

func quote(text string) []byte { return jsonrpc.AppendString(nil, text) }
