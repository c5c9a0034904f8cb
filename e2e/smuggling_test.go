package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// smugglingPolicy lets two tools be called, one of them not with every argument.
const smugglingPolicy = `
aliases: {d: db}
policy:
  default: deny
  rules:
    - {server: files, tool: read_file, level: execute}
    - {server: files, tool: look, level: read}
    - {server: db, tool: query, level: execute}
    - {server: db, tool: query, level: deny, when: 'args.sql.matches("(?i)\\bdrop\\b") || (has(args.rows) && args.rows > 100)'}
    - {server: "*", tool: "delete_*", level: deny}
servers:
  files: {url: %q}
  db: {url: %q}
`

// attempts are lines by which a host, or the model in it, might try to have
// something called that the policy denies. $ID is the id of the request, $META
// the members that the era wants in _meta, with a comma behind; $CALL the
// beginning of a request up to its params.
var attempts = []struct{ name, line string }{
	{"denied by name", `$CALL{"name":"files__delete_file","arguments":{},"_meta":{$META"x":1}}}`},
	{"bare name", `$CALL{"name":"delete_file","arguments":{},"_meta":{$META"x":1}}}`},
	{"bare name of two", `$CALL{"name":"delete_row","_meta":{$META"x":1}}}`},
	{"alias", `$CALL{"name":"d__delete_row","_meta":{$META"x":1}}}`},
	{"mcp_ name", `$CALL{"name":"mcp_db__delete_row","_meta":{$META"x":1}}}`},
	{"mcp_ name of an alias", `$CALL{"name":"mcp_d__delete_row","_meta":{$META"x":1}}}`},
	{"nested separators", `$CALL{"name":"files__files__delete_file","_meta":{$META"x":1}}}`},
	{"nested separators of another", `$CALL{"name":"db__files__delete_file","_meta":{$META"x":1}}}`},
	{"a tool with separators in its name", `$CALL{"name":"files__db__delete_row","_meta":{$META"x":1}}}`},
	{"escaped name", `$CALL{"name":"files__\u0064elete_file","_meta":{$META"x":1}}}`},
	{"escaped key", `$CALL{"n\u0061me":"files__delete_file","_meta":{$META"x":1}}}`},
	{"two names, the bad one last", `$CALL{"name":"files__read_file","name":"files__delete_file","_meta":{$META"x":1}}}`},
	{"two names, the bad one first", `$CALL{"name":"files__delete_file","name":"files__read_file","_meta":{$META"x":1}}}`},
	{"two names, one escaped", `$CALL{"name":"files__read_file","n\u0061me":"files__delete_file","_meta":{$META"x":1}}}`},
	{"name in capitals", `$CALL{"name":"files__read_file","NAME":"files__delete_file","_meta":{$META"x":1}}}`},
	{"name folded by Unicode", `$CALL{"name":"files__read_file","argumentſ":{"sql":"drop"},"_meta":{$META"x":1}}}`},
	{"two params", `{"jsonrpc":"2.0","id":$ID,"method":"tools/call","params":{"name":"files__read_file","_meta":{$META"x":1}},"params":{"name":"files__delete_file","_meta":{$META"x":1}}}`},
	{"params in capitals", `{"jsonrpc":"2.0","id":$ID,"method":"tools/call","params":{"name":"files__read_file","_meta":{$META"x":1}},"Params":{"name":"files__delete_file","_meta":{$META"x":1}}}`},
	{"two methods", `{"jsonrpc":"2.0","id":$ID,"method":"ping","method":"tools/call","params":{"name":"files__delete_file","_meta":{$META"x":1}}}`},
	{"two metas", `$CALL{"name":"files__read_file","_meta":{$META"x":1},"_meta":{"name":"files__delete_file"}}}`},
	{"a name in _meta", `$CALL{"name":"files__read_file","arguments":{},"_meta":{$META"name":"delete_file","arguments":{"sql":"drop"}}}}`},
	{"capitals in a name", `$CALL{"name":"files__DELETE_FILE","_meta":{$META"x":1}}}`},
	{"a Cyrillic letter", `$CALL{"name":"files__dеlete_file","_meta":{$META"x":1}}}`},
	{"fullwidth letters", `$CALL{"name":"files__ｄelete_file","_meta":{$META"x":1}}}`},
	{"no width in a name", `$CALL{"name":"files__delete_file\u200b","_meta":{$META"x":1}}}`},
	{"a NUL in a name", `$CALL{"name":"files__read_file\u0000delete_file","_meta":{$META"x":1}}}`},
	{"half a surrogate", `$CALL{"name":"files__delete_file\ud800","_meta":{$META"x":1}}}`},
	{"a name that is no string", `$CALL{"name":["files__delete_file"],"_meta":{$META"x":1}}}`},
	{"no name", `$CALL{"arguments":{"name":"delete_file"},"_meta":{$META"x":1}}}`},
	{"listed, not callable", `$CALL{"name":"files__look","_meta":{$META"x":1}}}`},

	{"denied arguments", `$CALL{"name":"db__query","arguments":{"sql":"drop table x"},"_meta":{$META"x":1}}}`},
	{"escaped arguments", `$CALL{"name":"db__query","arguments":{"sql":"\u0064\u0072op table x"},"_meta":{$META"x":1}}}`},
	{"escaped key of arguments", `$CALL{"name":"db__query","arguments":{"s\u0071l":"drop table x"},"_meta":{$META"x":1}}}`},
	{"arguments by a bare name", `$CALL{"name":"query","arguments":{"sql":"drop table x"},"_meta":{$META"x":1}}}`},
	{"arguments by an alias", `$CALL{"name":"mcp_d__query","arguments":{"sql":"DROP TABLE x"},"_meta":{$META"x":1}}}`},
	{"two of an argument, the bad one last", `$CALL{"name":"db__query","arguments":{"sql":"select 1","sql":"drop table x"},"_meta":{$META"x":1}}}`},
	{"two of an argument, the bad one first", `$CALL{"name":"db__query","arguments":{"sql":"drop table x","sql":"select 1"},"_meta":{$META"x":1}}}`},
	{"two of an argument, one escaped", `$CALL{"name":"db__query","arguments":{"sql":"select 1","\u0073ql":"drop table x"},"_meta":{$META"x":1}}}`},
	{"two of an argument, deep down", `$CALL{"name":"db__query","arguments":{"sql":"select 1","opts":{"a":1,"a":"drop"}},"_meta":{$META"x":1}}}`},
	{"two arguments members", `$CALL{"name":"db__query","arguments":{"sql":"select 1"},"arguments":{"sql":"drop table x"},"_meta":{$META"x":1}}}`},
	{"arguments in capitals", `$CALL{"name":"db__query","arguments":{"sql":"select 1"},"Arguments":{"sql":"drop table x"},"_meta":{$META"x":1}}}`},
	{"no arguments where some are judged", `$CALL{"name":"db__query","_meta":{$META"x":1}}}`},
	{"null arguments", `$CALL{"name":"db__query","arguments":null,"_meta":{$META"x":1}}}`},
	{"arguments that are a list", `$CALL{"name":"db__query","arguments":["drop table x"],"_meta":{$META"x":1}}}`},
	{"arguments that are a string", `$CALL{"name":"db__query","arguments":"{\"sql\":\"drop table x\"}","_meta":{$META"x":1}}}`},
	{"an argument of another type", `$CALL{"name":"db__query","arguments":{"sql":["drop table x"]},"_meta":{$META"x":1}}}`},
	{"a number over the limit", `$CALL{"name":"db__query","arguments":{"sql":"select 1","rows":101},"_meta":{$META"x":1}}}`},
	{"a huge number", `$CALL{"name":"db__query","arguments":{"sql":"select 1","rows":99999999999999999999999999},"_meta":{$META"x":1}}}`},
	{"a number that wraps", `$CALL{"name":"db__query","arguments":{"sql":"select 1","rows":18446744073709551617},"_meta":{$META"x":1}}}`},
	{"a number with an exponent", `$CALL{"name":"db__query","arguments":{"sql":"select 1","rows":1e3},"_meta":{$META"x":1}}}`},
	{"a number beyond doubles", `$CALL{"name":"db__query","arguments":{"sql":"select 1","rows":1e999},"_meta":{$META"x":1}}}`},

	{"a batch", `[{"jsonrpc":"2.0","id":$ID,"method":"tools/call","params":{"name":"files__delete_file","_meta":{$META"x":1}}}]`},
	{"a batch in a batch", `[[{"jsonrpc":"2.0","id":$ID,"method":"tools/call","params":{"name":"files__delete_file","_meta":{$META"x":1}}}]]`},
	{"a notification", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"files__delete_file","_meta":{$META"x":1}}}`},
	{"a method in capitals", `{"jsonrpc":"2.0","id":$ID,"method":"Tools/Call","params":{"name":"files__delete_file","_meta":{$META"x":1}}}`},
	{"a method with a slash too many", `{"jsonrpc":"2.0","id":$ID,"method":"tools//call","params":{"name":"files__delete_file","_meta":{$META"x":1}}}`},
	{"a task", `$CALL{"name":"files__delete_file","task":{},"_meta":{$META"x":1}}}`},
	{"an invented requestState", `$CALL{"name":"files__delete_file","requestState":"weir1.AAAA","inputResponses":{},"_meta":{$META"x":1}}}`},
	{"a state for another tool", `$CALL{"name":"files__read_file","requestState":"{\"name\":\"delete_file\"}","_meta":{$META"x":1}}}`},
}

// passing are calls that must go through, or nothing would be shown by the
// attempts that do not.
var passing = []string{
	`$CALL{"name":"files__read_file","arguments":{"path":"x"},"_meta":{$META"x":1}}}`,
	`$CALL{"name":"read_file","_meta":{$META"x":1}}}`,
	`$CALL{"name":"db__query","arguments":{"sql":"select 1","rows":100},"_meta":{$META"x":1}}}`,
	`$CALL{"name":"mcp_d__qu\u0065ry","arguments":{"\u0073ql":"select 1"},"_meta":{$META"x":1}}}`,
}

// TestNothingIsSmuggled sends every attempt, in both eras, and looks at what the
// servers were sent with the eyes of every reader.
func TestNothingIsSmuggled(t *testing.T) {
	for _, version := range []string{"2025-03-26", upstreamtest.Legacy, upstreamtest.Modern} {
		for _, serverVersion := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
			t.Run(version+" to "+serverVersion, func(t *testing.T) {
				t.Parallel()
				offer := func(names ...string) *upstreamtest.Server {
					script := upstreamtest.Script{Versions: []string{serverVersion}}
					for _, name := range names {
						script.Tools = append(script.Tools, json.RawMessage(`{"name":"`+name+`","inputSchema":{"type":"object"}}`))
					}
					return upstreamtest.New(script)
				}
				files := offer("read_file", "look", "delete_file", "db__delete_row")
				db := offer("query", "delete_row", "files__delete_file")
				cmd := testPlaces(t).weir(t, fmt.Sprintf(smugglingPolicy, web(t, files), web(t, db)))
				s := openSession(t, version, cmd)
				for i, call := range passing {
					s.smuggle(t, fmt.Sprintf(`"p%d"`, i), call)
				}
				if got := len(files.Received("tools/call")) + len(db.Received("tools/call")); got != len(passing) {
					t.Fatalf("got %d calls, want %d", got, len(passing))
				}
				for i, a := range attempts {
					s.smuggle(t, fmt.Sprintf(`"a%d"`, i), a.line)
					for _, server := range []*upstreamtest.Server{files, db} {
						for _, r := range server.Received("tools/call") {
							if why := forbidden(r.Message); why != "" {
								t.Errorf("%s: the server was sent %s: %s", a.name, r.Message, why)
							}
						}
					}
				}
			})
		}
	}
}

// smuggle sends a line, and waits until it is answered if it has an id, and
// until what comes after it is answered.
func (s *session) smuggle(t *testing.T, id, line string) {
	t.Helper()
	meta := ""
	if s.isModern() {
		params := s.params("", "")
		meta = strings.TrimSuffix(strings.TrimPrefix(params, `{"_meta":{`), "}}") + ","
	}
	line = strings.NewReplacer("$CALL", `{"jsonrpc":"2.0","id":$ID,"method":"tools/call","params":`).Replace(line)
	line = strings.NewReplacer("$ID", id, "$META", meta).Replace(line)
	if err := s.send(line); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(line, "{") && strings.Contains(line, `"id":`) {
		if _, err := s.answer(id); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	s.request(t, "tools/list", "")
}

var forbiddenSQL = regexp.MustCompile(`(?i)\bdrop\b`)

// forbidden says what a reader could take a message for that the policy denies:
// one that takes the first of two members, or the last, or minds no case.
func forbidden(message []byte) string {
	var call struct {
		Params struct {
			Name      any
			Arguments any
		}
	}
	if err := json.Unmarshal(message, &call); err != nil {
		return err.Error()
	}
	names := []any{call.Params.Name}
	arguments := []any{call.Params.Arguments}
	members, err := jsonrpc.ParseObject(nil, message)
	if err != nil {
		return err.Error()
	}
	for _, m := range members {
		if !strings.EqualFold(string(m.Key), "params") {
			continue
		}
		params, _ := jsonrpc.ParseObject(nil, m.Value)
		for _, p := range params {
			var value any
			if err := json.Unmarshal(p.Value, &value); err != nil {
				return err.Error()
			}
			switch {
			case strings.EqualFold(string(p.Key), "name"):
				names = append(names, value)
			case strings.EqualFold(string(p.Key), "arguments"):
				arguments = append(arguments, value)
				if forbiddenSQL.Match(unescaped(p.Value)) {
					return "arguments"
				}
			}
		}
	}
	for _, name := range names {
		if !slices.Contains([]any{"read_file", "query"}, name) {
			return fmt.Sprintf("name %q", name)
		}
	}
	for _, a := range arguments {
		values, ok := a.(map[string]any)
		if !ok && a != nil {
			return "arguments that are no object"
		}
		if rows, ok := values["rows"].(float64); ok && rows > 100 {
			return "rows"
		}
		if sql, ok := values["sql"]; ok && !isString(sql) {
			return "sql that is no string"
		}
	}
	return ""
}

func isString(v any) bool { _, ok := v.(string); return ok }

// unescaped is JSON text with its escapes resolved as far as letters go.
func unescaped(raw []byte) []byte {
	return regexp.MustCompile(`\\u00[0-7][0-9a-fA-F]`).ReplaceAllFunc(raw, func(escape []byte) []byte {
		var text string
		if err := json.Unmarshal(slices.Concat([]byte(`"`), escape, []byte(`"`)), &text); err != nil {
			return escape
		}
		return bytes.ToLower([]byte(text))
	})
}
