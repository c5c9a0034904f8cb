package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestUnknown: what no revision knows, from either side, changes nothing and
// breaks nothing: requests are refused, payloads pass as they are, all else is
// left alone.
func TestUnknown(t *testing.T) {
	seeds := uint64(10)
	if testing.Short() {
		seeds = 2
	}
	for _, host := range newest {
		for _, server := range newest {
			for seed := range seeds {
				t.Run(fmt.Sprintf("%s host, %s server, seed %d", host, server, seed), func(t *testing.T) {
					t.Parallel()
					r := random{rand.New(rand.NewPCG(seed, 1))}
					script := r.script(server)
					// The direct leg has a server of the host's era, which says the same.
					other := script
					other.Versions = []string{host}
					capabilities := r.object(2)
					u := &unknowns{
						random:  r,
						direct:  directly(t, host, capabilities, upstreamtest.New(other)),
						through: inMemory(t, host, capabilities, upstreamtest.New(script)),
					}
					u.compare(t)
				})
			}
		}
	}
}

// randomTools is how many tools answer with what is random.
const randomTools = 8

// script is a server whose capabilities, definitions, results and notifications
// have unknown parts.
func (r random) script(version string) upstreamtest.Script {
	s := upstreamtest.Script{
		Versions:     []string{version},
		Capabilities: json.RawMessage(`{"tools":{"listChanged":true,` + r.members(2) + `},` + r.members(2) + `}`),
	}
	for i := range randomTools {
		name := "tool" + strconv.Itoa(i)
		s.Tools = append(s.Tools, json.RawMessage(`{`+r.members(2)+`,"name":"`+name+`","inputSchema":{"type":"object",`+r.members(1)+`}}`))
		s.Rules = append(s.Rules, upstreamtest.Rule{On: "tools/call " + name, Do: r.answer(version, i)})
	}
	return s
}

// answer is what a server does about a call.
func (r random) answer(version string, i int) []upstreamtest.Step {
	var steps []upstreamtest.Step
	for range r.IntN(3) {
		steps = append(steps, upstreamtest.Step{Send: json.RawMessage(`{"jsonrpc":"2.0","method":` + r.method() + `,"params":` + r.object(2) + `}`)})
	}
	if version < upstreamtest.Modern && r.IntN(2) == 0 {
		id := `"asked ` + strconv.Itoa(i) + `"`
		steps = append(steps,
			upstreamtest.Step{Send: json.RawMessage(`{"jsonrpc":"2.0","id":` + id + `,"method":` + r.method() + `,"params":` + r.object(2) + `}`)},
			upstreamtest.Step{Await: "response " + id})
	}
	switch r.IntN(4) {
	case 0:
		return append(steps, upstreamtest.Step{Error: json.RawMessage(
			`{"code":` + strconv.Itoa(r.IntN(1000)) + `,"message":` + r.text() + `,"data":` + r.value(3) + `,` + r.members(2) + `}`)})
	case 1:
		return append(steps, upstreamtest.Step{Default: true})
	}
	blocks := make([]string, r.IntN(4))
	for i := range blocks {
		blocks[i] = `{"type":` + r.text() + `,` + r.members(2) + `}`
	}
	return append(steps, upstreamtest.Step{Reply: json.RawMessage(
		`{` + r.members(2) + `,"content":[` + strings.Join(blocks, ",") + `],"structuredContent":` + r.object(3) + `,"_meta":` + r.object(2) + `}`)})
}

// unknowns is a host on two legs.
type unknowns struct {
	random
	direct, through *session
}

func (u *unknowns) compare(t *testing.T) {
	t.Helper()
	want := expose(t, oneWeir.prefix(), u.direct.tools(t))
	got := u.through.tools(t)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("tools: got  %s\nwant %s", got, want)
	}
	for range 40 {
		switch u.IntN(4) {
		case 0:
			u.unknownRequest(t)
		case 1:
			u.unknownNotification(t)
		case 2:
			u.unknownResponse(t)
		}
		u.call(t)
	}
	for _, line := range u.through.rest() {
		t.Errorf("the host was told what it cannot know: %s", line)
	}
}

// call calls a tool with much that is unknown, and compares what comes back.
func (u *unknowns) call(t *testing.T) {
	t.Helper()
	tool := "tool" + strconv.Itoa(u.IntN(randomTools))
	arguments, more, meta := u.value(3), u.members(2), u.members(2)
	if !strings.HasPrefix(arguments, "{") {
		arguments = "{}"
	}
	ask := func(s *session, name string) string {
		id := s.begin(t, "tools/call", more+`,"name":"`+name+`","arguments":`+arguments, meta)
		u.refuseAll(t, s, id)
		return outcome(t, s.end(t, id))
	}
	want := ask(u.direct, tool)
	if got := ask(u.through, oneWeir.prefix()+tool); got != want {
		t.Errorf("calling %s with %s, %s: got  %s\nwant %s", tool, more, meta, got, want)
	}
}

// refuseAll refuses what a server asks a host directly before it answers: weir
// does so by itself.
func (u *unknowns) refuseAll(t *testing.T, s *session, id string) {
	t.Helper()
	for {
		line, err := s.take("an answer", func(m *jsonrpc.Message) bool {
			return m.Kind == jsonrpc.Request || m.Method == nil && string(m.ID) == id
		})
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind != jsonrpc.Request {
			s.putBack(line)
			return
		}
		if s == u.through {
			t.Errorf("the host was asked for what it cannot know: %s", line)
		}
		if err := s.send(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"error":{"code":-32601,"message":"Method not found"}}`); err != nil {
			t.Fatal(err)
		}
	}
}

// putBack undoes take.
func (w *wire) putBack(line []byte) {
	w.change(func() { w.inbox = append([][]byte{line}, w.inbox...) })
}

func (u *unknowns) unknownRequest(t *testing.T) {
	t.Helper()
	method, params := u.method(), u.members(3)
	method = method[1 : len(method)-1] // begin quotes it
	m := u.through.request(t, method, params)
	if code := string(jsonrpc.Find(m.Fields, "code")); m.Kind != jsonrpc.Failure || code != "-32601" {
		t.Errorf("%s with %s: got %s", method, params, m.Raw)
	}
}

func (u *unknowns) unknownNotification(t *testing.T) {
	t.Helper()
	text := `{` + u.members(1) + `,"jsonrpc":"2.0","method":` + u.method() + `,"params":` + u.object(3) + `}`
	if err := u.through.send(text); err != nil {
		t.Fatal(err)
	}
}

func (u *unknowns) unknownResponse(t *testing.T) {
	t.Helper()
	member := `"result":` + u.value(2)
	if u.IntN(2) == 0 {
		member = `"error":{"code":1,"message":"x",` + u.members(2) + `}`
	}
	if err := u.through.send(`{"jsonrpc":"2.0","id":` + strconv.Itoa(u.IntN(1000)) + `,` + member + `}`); err != nil {
		t.Fatal(err)
	}
}

// random makes JSON that no revision knows, and that is odd besides.
type random struct{ *rand.Rand }

func (r random) pick(all []string) string { return all[r.IntN(len(all))] }

// method is a method that does not exist, quoted.
func (r random) method() string {
	return `"` + r.pick([]string{"vendor/", "tools/", "notifications/", "x", "resources/templates/", "é", "$/", "Tools/"}) + r.word() + `"`
}

// word is letters that are no word of the protocol.
func (r random) word() string {
	letters := make([]byte, 3+r.IntN(6))
	for i := range letters {
		letters[i] = byte('a' + r.IntN(26))
	}
	return "x-" + string(letters)
}

func (r random) text() string {
	return `"` + r.pick([]string{"", r.word(), "<&>", `\ud83d`, `\u0000`, "ö", `\"\\\/`, "hologram/", "  "}) + r.word() + `"`
}

// members are unknown members of an object, none twice; there is one at least.
func (r random) members(depth int) string {
	all := make([]string, 1+r.IntN(4))
	for i := range all {
		all[i] = `"` + r.pick([]string{"", "vendor/", "é", `\u0041`, "$"}) + r.word() + strconv.Itoa(i) + `":` + r.value(depth)
	}
	return strings.Join(all, ",")
}

func (r random) object(depth int) string { return "{" + r.members(depth) + "}" }

func (r random) value(depth int) string {
	switch n := r.IntN(6); {
	case n < 2 && depth > 0:
		return r.object(depth - 1)
	case n == 2 && depth > 0:
		all := make([]string, r.IntN(4))
		for i := range all {
			all[i] = r.value(depth - 1)
		}
		return "[" + strings.Join(all, ",") + "]"
	case n == 3:
		return r.text()
	}
	return r.pick([]string{"null", "true", "false", "0", "-0", "1.50", "9007199254740993", "1E400", "-1e-400", "123456789012345678901234567890"})
}
