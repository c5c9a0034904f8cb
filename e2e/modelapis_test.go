package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A modelAPI is one of those that "weir tools --format" writes definitions for. Its
// types are those that its own client for TypeScript publishes.
type modelAPI struct {
	name      string
	hasStrict bool
	imports   string
	tools     string // the type of what is printed
	said      string // of the model's message
	answers   string // of what "weir call --from" prints for it

	hasSchemaType bool // the client has a type for the strict schemas; those of "openai-responses" are the same

	// wrong are definitions that the types are to refuse.
	wrong []string
}

var modelAPIs = []modelAPI{
	{
		name: "openai", hasStrict: true,
		imports: `import type { ChatCompletionFunctionTool, ChatCompletionMessage, ChatCompletionToolMessageParam } from "openai/resources/chat/completions";
import type { JSONSchema } from "openai/lib/jsonschema";`,
		tools: "ChatCompletionFunctionTool[]", said: "ChatCompletionMessage", answers: "ChatCompletionToolMessageParam[]",
		hasSchemaType: true,
		wrong: []string{
			`{"type":"function","function":{"name":"x","input_schema":{}}}`,
			`{"type":"function","function":{"parameters":{}}}`,
			`{"type":"function","name":"x","parameters":{}}`,
			`{"type":"function","function":{"name":"x","parameters":{},"strict":"yes"}}`,
			`{"function":{"name":"x","parameters":{}}}`,
		},
	},
	{
		name: "openai-responses", hasStrict: true,
		imports: `import type { FunctionTool, ResponseOutputItem, ResponseInputItem } from "openai/resources/responses/responses";`,
		tools:   "FunctionTool[]", said: "{output: ResponseOutputItem[]}", answers: "ResponseInputItem.FunctionCallOutput[]",
		wrong: []string{
			`{"type":"function","name":"x","parameters":{}}`,
			`{"type":"function","function":{"name":"x"},"strict":true}`,
			`{"type":"function","name":"x","parameters":[],"strict":true}`,
		},
	},
	{
		name: "anthropic", hasStrict: true,
		imports: `import type { Tool, ContentBlock, ToolResultBlockParam } from "@anthropic-ai/sdk/resources/messages";`,
		tools:   "Tool[]", said: `{role: "assistant", content: ContentBlock[]}`, answers: "ToolResultBlockParam[]",
		wrong: []string{
			`{"name":"x","inputSchema":{"type":"object"}}`,
			`{"name":"x","input_schema":{"anyOf":[]}}`,
			`{"name":"x","input_schema":{"type":"array"}}`,
			`{"name":"x","description":7,"input_schema":{"type":"object"}}`,
		},
	},
	{
		name:    "gemini",
		imports: `import type { Tool, Content, Part } from "@google/genai";`,
		tools:   "Tool[]", said: "Content", answers: "Part[]",
		wrong: []string{
			`{"functionDeclarations":{"name":"x"}}`,
			`{"function_declarations":[]}`,
			`{"functionDeclarations":[{"name":"x","parameters_json_schema":{}}]}`,
			`{"functionDeclarations":[{"name":7}]}`,
		},
	},
}

// strictSchemas returns the schemas of the strict definitions of Chat Completions.
func strictSchemas(t *testing.T, tools json.RawMessage) (schemas []json.RawMessage) {
	t.Helper()
	var all []struct {
		Function struct {
			Parameters json.RawMessage
			Strict     bool
		}
	}
	if err := json.Unmarshal(tools, &all); err != nil {
		t.Fatal(err)
	}
	for _, tool := range all {
		if tool.Function.Strict {
			schemas = append(schemas, tool.Function.Parameters)
		}
	}
	return schemas
}

// oddDefinitions are definitions that no API would take as they are, or that a model API is
// known to be particular about.
var oddDefinitions = []string{
	`{"name":"without","inputSchema":{"type":"object"}}`,
	`{"name":"no_schema_at_all"}`,
	`{"name":"any of","inputSchema":{"type":"object","anyOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"integer"}},"required":["b"]}]}}`,
	`{"name":"one.of","description":"名前 😀","inputSchema":{"oneOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"object","properties":{"a":{"type":"number"}}}]}}`,
	`{"name":"all_of","inputSchema":{"type":"object","allOf":[{"properties":{"a":true}},{"required":["a"]}]}}`,
	`{"name":"` + strings.Repeat("long_", 30) + `","inputSchema":{"type":"object","properties":{}}}`,
	`{"name":"1/é","inputSchema":{"type":"object","properties":{"":{"type":"string"},"päth":{"type":"string"},"type":{"type":"string"},"$ref":{"type":"string"},"enum":{"type":"array"}}}}`,
	`{"name":"array","inputSchema":{"type":"object","properties":{"a":{"type":"array"},"b":{"type":["array","null"]},"c":{"type":"array","items":[{"type":"string"},{"type":"number"}]},"d":{"type":"array","prefixItems":[{"type":"string"}]}}}}`,
	`{"name":"tree","inputSchema":{"type":"object","properties":{"root":{"$ref":"#/$defs/node"}},"required":["root"],"$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"},"value":{"type":"string","minLength":1}}},"unused":{"type":"string"}}}}`,
	`{"name":"old_definitions","inputSchema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"x":{"$ref":"#/definitions/x"}},"definitions":{"x":{"type":"integer","minimum":1,"maximum":10,"multipleOf":2}}}}`,
	`{"name":"pointer","inputSchema":{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}},"c":{"$ref":"#/properties/a"}}}}`,
	`{"name":"any_key","inputSchema":{"type":"object","additionalProperties":{"type":"string"}}}`,
	`{"name":"any_value","inputSchema":{"type":"object","properties":{"value":{}}}}`,
	`{"name":"patterns","inputSchema":{"type":"object","patternProperties":{"^x":{"type":"string"}},"properties":{"y":{"type":"string","pattern":"^(?=a)","format":"uri-template"}}}}`,
	`{"name":"conditions","inputSchema":{"type":"object","properties":{"a":{"type":"string"}},"if":{"required":["a"]},"then":{},"else":false,"not":{"required":["b"]},"dependentRequired":{"a":["b"]}}}`,
	`{"name":"literals","inputSchema":{"type":"object","properties":{"a":{"enum":["x",1,null]},"b":{"const":"x"},"c":{"type":"string","enum":["y"],"default":"y"},"d":{"const":{"deep":true}}}}}`,
	`{"name":"required_elsewhere","inputSchema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a","ghost"]}}`,
	`{"name":"lists","inputSchema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"b":{"type":"array","items":{"type":"number"}}}},"minItems":2,"maxItems":3,"uniqueItems":true}}}}`,
	`{"name":"nullable","inputSchema":{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"anyOf":[{"type":"null"},{"type":"object","properties":{"c":{"type":"boolean"}}}]},"d":{"type":"string","nullable":true}}}}`,
	`{"name":"deep","inputSchema":` + strings.Repeat(`{"type":"object","properties":{"x":`, 12) + `{"type":"string"}` + strings.Repeat(`}}`, 12) + `}`,
	`{"name":"numbers","inputSchema":{"type":"object","properties":{"a":{"type":"integer","maximum":9007199254740993},"b":{"type":"number","exclusiveMinimum":-1e308}}}}`,
}

// listedElsewhere are the definitions that many servers from npm list: those of
// scripts/searchquality.
func listedElsewhere(t *testing.T) (definitions []json.RawMessage) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "scripts", "searchquality", "testdata", "definitions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	server := ""
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return definitions
		}
		var d struct{ Server, Package, Name string }
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatal(err)
		}
		if d.Package != "" {
			server = d.Server
			continue
		}
		named := strings.Replace(string(line), fmt.Sprintf(`"name": %q`, d.Name), fmt.Sprintf(`"name": %q`, server+"."+d.Name), 1)
		definitions = append(definitions, json.RawMessage(named))
	}
}

// A writtenStyle is what "weir tools --format" has printed.
type writtenStyle struct {
	API    string          `json:"api"`
	Strict bool            `json:"strict"`
	Tools  json.RawMessage `json:"tools"`
}

// TestModelAPIs holds what weir says to model APIs against what the APIs publish: the
// types of their clients for TypeScript, the makers of strict schemas in them, and what
// they send. The definitions are those of real servers, and odd ones. A model's calls go
// the way back as the clients read them.
func TestModelAPIs(t *testing.T) {
	needNode(t)
	t.Parallel()
	u := newUser(t, "")
	odd := upstreamtest.Script{}
	for _, tool := range oddDefinitions {
		odd.Tools = append(odd.Tools, json.RawMessage(tool))
	}
	config := "policy: {default: execute}\nservers:\n"
	for _, s := range realServers {
		if !s.web {
			args := append([]string{npmServer(s.file)}, s.args...)
			config += fmt.Sprintf("  %s: {command: node, args: [%s]}\n", s.name, strings.ReplaceAll(strings.Join(args, ", "), "$DIR", u.home))
		}
	}
	config += u.scripted(t, "odd", odd) + u.scripted(t, "elsewhere", upstreamtest.Script{Tools: listedElsewhere(t)})
	u.configure(t, config)

	styles := u.writtenStyles(t)
	names := []string{"everything__get-sum", "everything__get-tiny-image", "everything__no-such-tool"}
	problems, said := putToClients(t, styles, names)
	if len(problems) > 0 {
		t.Errorf("the clients have %d problems:\n%s", len(problems), strings.Join(problems[:min(20, len(problems))], "\n"))
	}
	answers := map[string]json.RawMessage{}
	for _, api := range modelAPIs {
		answers[api.name] = u.answered(t, api.name, said[api.name])
	}
	compileTypes(t, styles, said, answers)
}

// writtenStyles are all that weir can write, of all tools.
func (u *user) writtenStyles(t *testing.T) (styles []writtenStyle) {
	t.Helper()
	for _, api := range modelAPIs {
		for _, strict := range []bool{false, true} {
			if strict && !api.hasStrict {
				continue
			}
			args := []string{"tools", "--format", api.name}
			if strict {
				args = append(args, "--strict")
			}
			cmd := u.command(args...)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("weir %s: %v", strings.Join(args, " "), err)
			}
			if n := bytes.Count(out, []byte("\n{")); n < 500 {
				t.Fatalf("weir %s: got %d definitions, want those of all servers", strings.Join(args, " "), n)
			}
			styles = append(styles, writtenStyle{api.name, strict, out})
		}
	}
	return styles
}

// putToClients puts what weir has written to the APIs' own clients, and beside it
// definitions that are strict only in name, which the clients must find. It returns the
// problems that are none of these, and by API what the client made of a model that wants
// the tools of these names called.
func putToClients(t *testing.T, styles []writtenStyle, names []string) (problems []string, said map[string]json.RawMessage) {
	t.Helper()
	const notStrict = `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"object","properties":{}}},"required":["a"]}`
	planted := map[string]string{
		"openai":           `[{"type":"function","function":{"name":"planted","parameters":` + notStrict + `,"strict":true}}]`,
		"openai-responses": `[{"type":"function","name":"planted","parameters":` + notStrict + `,"strict":true}]`,
		"anthropic":        `[{"name":"planted","input_schema":` + notStrict + `,"strict":true}]`,
	}
	wanted := len(planted)
	for api, tools := range planted {
		styles = append([]writtenStyle{{api, true, json.RawMessage(tools)}}, styles...)
	}
	input, err := json.Marshal(map[string]any{"styles": styles, "names": names})
	if err != nil {
		t.Fatal(err)
	}
	out, err := runNode(t, input, nil, "modelapis.mjs")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Problems []struct{ Style, Tool, Text string }
		Said     map[string]json.RawMessage
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("modelapis.mjs: %v: %s", err, shorten(out))
	}
	for _, p := range got.Problems {
		if p.Tool == "planted" {
			wanted--
			continue
		}
		problems = append(problems, fmt.Sprintf("%s: %s: %s", p.Style, p.Tool, p.Text))
	}
	if wanted != 0 {
		t.Errorf("%d definitions that are not strict are taken for strict ones: nothing is held to anything", wanted)
	}
	return problems, got.Said
}

// answered carries out what a model said, and returns what its API is to be told.
func (u *user) answered(t *testing.T, api string, said json.RawMessage) json.RawMessage {
	t.Helper()
	cmd := u.command("call", "--from", api)
	cmd.Stdin = bytes.NewReader(said)
	out, _ := cmd.Output() // one of the calls fails
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Fatalf("weir call --from %s: exit code %d, want 1 for the tool that there is not: %s", api, code, out)
	}
	var answers []json.RawMessage
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != 3 {
		t.Fatalf("weir call --from %s: got %s, want an answer to each call (%v)", api, out, err)
	}
	for i, word := range []string{"The sum of 19 and 23 is 42.", "image", "no-such-tool"} {
		if !bytes.Contains(answers[i], []byte(word)) {
			t.Errorf("weir call --from %s: got %s, want it to have %q", api, shorten(answers[i]), word)
		}
	}
	return out
}

// compileTypes has the TypeScript compiler hold all of it to the types that the APIs'
// clients publish. Where the types are to refuse something, it is an error if they do
// not.
func compileTypes(t *testing.T, styles []writtenStyle, said, answers map[string]json.RawMessage) {
	t.Helper()
	dir := t.TempDir()
	modules, err := filepath.Abs("npm/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, api := range modelAPIs {
		text := typedProgram(t, api, styles, said[api.name], answers[api.name])
		file := filepath.Join(dir, api.name+".mts")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	compiler := filepath.Join(modules, "typescript", "bin", "tsc")
	args := append([]string{compiler, "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2023", "--pretty", "false"}, files...)
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the types of the APIs refuse what weir says, or take what they are to refuse: %v\n%s", err, shorten(out))
	}
}

// typedProgram is a program that says what is of which type.
func typedProgram(t *testing.T, api modelAPI, styles []writtenStyle, said, answers json.RawMessage) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", api.imports)
	for i, s := range styles {
		if s.API != api.name {
			continue
		}
		fmt.Fprintf(&b, "export const tools%d: %s = %s;\n", i, api.tools, s.Tools)
		if !s.Strict || !api.hasSchemaType {
			continue
		}
		schemas := strictSchemas(t, s.Tools)
		if len(schemas) < 100 {
			t.Errorf("%s: got %d strict definitions, want more than 100", api.name, len(schemas))
		}
		fmt.Fprintf(&b, "export const schemas%d: JSONSchema[] = [\n", i)
		for _, schema := range schemas {
			fmt.Fprintf(&b, "%s,\n", schema)
		}
		fmt.Fprintln(&b, "];")
	}
	fmt.Fprintf(&b, "export const said: %s = %s;\n", api.said, said)
	fmt.Fprintf(&b, "export const answers: %s = %s;\n", api.answers, bytes.TrimSpace(answers))
	for i, definition := range api.wrong {
		fmt.Fprintf(&b, "// @ts-expect-error\nexport const wrong%d: %s = [%s];\n", i, api.tools, definition)
	}
	return b.String()
}
