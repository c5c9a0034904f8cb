package aggregator

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// oddTool has what a careless reader would lose or change.
const oddTool = `{"name":"odd","x":{"b":1,"a":[]},"description":"<>& ½ \u00bd \ud83d","inputSchema":{"type":"object","properties":{},"required":[],"$defs":{"n":{"const":9007199254740993}}},"annotations":{},"x":2}`

const oddResult = `{"x-first":-0,"content":[{"type":"text","text":"<>& ½ \u00bd \ud83d \/","annotations":{}},{"type":"unheard-of","n":1e400}],` +
	`"structuredContent":{"n":9007199254740993,"twice":1,"twice":2,"Twice":3,"empty":{},"none":null},"x-last":[]}`

// script is the server of the table, in the versions given.
func script(versions []string) upstreamtest.Script {
	reply := func(on string, steps ...upstreamtest.Step) upstreamtest.Rule {
		return upstreamtest.Rule{On: "tools/call " + on, Do: steps}
	}
	result := func(text string) upstreamtest.Step { return upstreamtest.Step{Reply: json.RawMessage(text)} }
	send := func(text string) upstreamtest.Step { return upstreamtest.Step{Send: json.RawMessage(text)} }
	progress := func(members string) upstreamtest.Step {
		return send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{` + members + `}}`)
	}
	tools := []json.RawMessage{json.RawMessage(oddTool)}
	for _, name := range []string{"echo", "error", "sick", "plain", "steps", "meta", "idlast", "gate", "next"} {
		tools = append(tools, upstreamtest.Tool(name))
	}
	return upstreamtest.Script{
		Versions: versions,
		Tools:    tools,
		Rules: []upstreamtest.Rule{
			reply("odd", result(oddResult)),
			reply("echo", result(`{"content":[],"structuredContent":"$arguments"}`)),
			reply("error", upstreamtest.Step{Error: json.RawMessage(`{"code":-7,"x":1,"message":"no\u0021 <>","data":{"n":9007199254740993,"n":0}}`)}),
			reply("sick", result(`{"isError":true,"content":[{"type":"text","text":"try again"}]}`)),
			reply("meta", result(`{"content":[],"_meta":{"vendor/key":{"a":1,"a":2}}}`)),
			reply("idlast", send(`{"x-top":1,"result":{"content":[{"type":"text","text":"id last"}]},"jsonrpc":"2.0","id":"$id"}`)),
			reply("steps",
				progress(`"progress":1,"progressToken":"$token","total":2.50,"message":"<½>","x":[]`),
				progress(`"progressToken":"$token","progress":2`),
				result(`{"content":[{"type":"text","text":"done"}]}`)),
			reply("gate", upstreamtest.Step{Await: "cancel"}, upstreamtest.Step{Release: "cancelled"}),
			reply("next", upstreamtest.Step{Await: "cancelled"}, result(`{"content":[{"type":"text","text":"after"}]}`)),
		},
	}
}

// A drive is the script of one row: it returns what came back. prefix is what
// names of tools begin with.
type drive func(h *host, e era, prefix string) []string

// ask sends requests one after the other and collects what comes.
func ask(requests ...func(e era, prefix string) string) drive {
	return func(h *host, e era, prefix string) []string {
		var got []string
		for _, request := range requests {
			got = append(got, h.send(request(e, prefix))...)
		}
		return got
	}
}

func calling(id, tool, arguments string) func(era, string) string {
	return func(e era, prefix string) string { return e.call(id, prefix+tool, arguments) }
}

// TestDirectAndThrough runs the same script of host messages directly against a
// server and through weir, for each pair of eras, and wants the same back but
// for what the eras demand.
func TestDirectAndThrough(t *testing.T) {
	withMeta := func(id, tool, meta string) func(era, string) string {
		return func(e era, prefix string) string {
			return e.request(id, "tools/call", `"name":"`+prefix+tool+`"`, meta)
		}
	}
	rows := []struct {
		name  string
		run   drive
		want  int // lines
		heard int // cancellations by the server, through weir
	}{
		{"list", ask(func(e era, _ string) string { return e.request("1", "tools/list", "", "") }), 1, 0},
		{"call", ask(calling("1", "plain", `{"a":1}`)), 1, 0},
		{"odd arguments", ask(calling(`"x"`, "echo", `{"n":9007199254740993,"t":"<>&","n":0,"N":1,"name":"x","\u006eame":"y","e":{},"l":[],"s":"\ud83d","z":null,"f":1.0E+2}`)), 1, 0},
		{"arguments absent", ask(withMeta("1", "echo", "")), 1, 0},
		{"odd result", ask(calling("1", "odd", `{}`)), 1, 0},
		{"id forms", ask(calling("9007199254740993", "odd", `{}`), calling(`"\u0061<½>"`, "odd", `{}`), calling("-5", "odd", `{}`), calling(`""`, "odd", `{}`)), 4, 0},
		{"error", ask(calling("1", "error", `{}`)), 1, 0},
		{"isError", ask(calling("1", "sick", `{}`)), 1, 0},
		{"meta of a result", ask(calling("1", "meta", `{}`)), 1, 0},
		{"id last", ask(calling("1", "idlast", `{}`)), 1, 0},
		{"progress, token a string", ask(withMeta("1", "steps", `"progressToken":"p\u0061","vendor/x":1`)), 3, 0},
		{"progress, token a number", ask(withMeta("1", "steps", `"progressToken":7`)), 3, 0},
		{"no token, no progress", ask(calling("1", "steps", `{}`)), 1, 0},
		{"cancel", func(h *host, e era, prefix string) []string {
			got := h.send(e.call("1", prefix+"gate", `{}`), e.call("2", prefix+"next", `{}`))
			return append(got, h.send(cancelled("1"))...)
		}, 1, 1},
		{"cancel after the answer", func(h *host, e era, prefix string) []string {
			got := h.send(e.call("1", prefix+"odd", `{}`))
			return append(got, h.send(cancelled("1"), e.call("2", prefix+"odd", `{}`))...)
		}, 2, 0},
	}
	for _, server := range []era{legacy, modern} {
		for _, client := range []era{legacy, modern} {
			for _, row := range rows {
				bubble(t, client.String()+" host, "+server.String()+" server/"+row.name, func(t *testing.T) {
					direct := upstreamtest.New(script(server.versions()))
					h := newHost(t, func(in io.Reader, out io.Writer) error {
						return direct.ServeLines(context.Background(), in, out, io.Discard)
					})
					h.send(server.open()...)
					want := row.run(h, server, "")

					through, h := one(t, script(server.versions()))
					h.send(client.open()...)
					got := row.run(h, client, "up__")

					if len(want) != row.want {
						t.Fatalf("directly: got %d lines, want %d:\n%s", len(want), row.want, strings.Join(want, "\n"))
					}
					if row.name == "list" {
						want = []string{tools(t, want[0])}
						got = []string{strings.ReplaceAll(tools(t, got[0]), `"name":"up__`, `"name":"`)}
					}
					if row.name == "arguments absent" && server == modern && client == legacy {
						// structuredContent is an object there.
						want[0] = strings.Replace(want[0], `[],"structuredContent":null`, `[{"type":"text","text":"null"}]`, 1)
					}
					for i := range min(len(got), len(want)) {
						got[i] = undemanded(t, client, got[i], want[i])
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("difference (-directly +through weir):\n%s", diff)
					}
					// What is answered already is nothing to tell the server.
					if diff := cmp.Diff(notices(direct)[:row.heard], notices(through), cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("what the server heard (-directly +through weir):\n%s", diff)
					}
				})
			}
		}
	}
}

// undemanded takes out of a line through weir what the host's era demands and
// the direct line lacks, having made sure that it is there.
func undemanded(t *testing.T, client era, line, direct string) string {
	t.Helper()
	if client == legacy || !strings.Contains(line, `"result":`) {
		return line
	}
	take := func(text string) {
		if strings.Count(line, text) != 1 {
			t.Errorf("got %s, want %s in it once", line, text)
		}
		line = strings.Replace(line, text, "", 1)
	}
	if !strings.Contains(direct, `"resultType"`) {
		take(`"resultType":"complete",`)
	}
	switch {
	case !strings.Contains(direct, `"_meta"`):
		take(serverMeta + ",")
	case !strings.Contains(direct, `"io.modelcontextprotocol/serverInfo"`):
		take(`"io.modelcontextprotocol/serverInfo":` + weirInfo + ",")
	}
	return line
}

// tools is the list in the result of tools/list.
func tools(t *testing.T, line string) string {
	t.Helper()
	var m jsonrpc.Message
	if err := m.Parse([]byte(line)); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(jsonrpc.Find(m.Fields, "tools"))
}

// notices are the cancellations that reached a server, without the ids, which
// are those of another hop.
func notices(s *upstreamtest.Server) []string {
	var out []string
	for _, r := range s.Received("notifications/cancelled") {
		_, rest, _ := strings.Cut(string(r.Message), `"requestId":`)
		_, rest, _ = strings.Cut(rest, `,`)
		out = append(out, rest)
	}
	return out
}
