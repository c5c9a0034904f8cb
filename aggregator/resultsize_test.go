package aggregator

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

func textBlock(body string) string {
	return fmt.Sprintf(`{"type":"text","text":%s}`, jsonrpc.AppendString(nil, body))
}

func TestCut(t *testing.T) {
	const limit = 2 << 10
	long, small := strings.Repeat("é", limit), strings.Repeat("s", 200)
	image := `{"type":"image","mimeType":"image/png","data":"` + strings.Repeat("A", limit) + `"}`
	marker := func(shown, size int, rest string) string {
		return textBlock(fmt.Sprintf(`[weir cut this result: %d of %d bytes shown; server "s" allows max_result 2 KiB%s]`, shown, size, rest))
	}
	const room = limit - markerRoom
	for _, tt := range []struct {
		name, raw       string
		needsStructured bool
		want            func(size int) string
	}{
		{"a long text", `{"content":[` + textBlock(long) + `],"isError":false}`, false, func(size int) string {
			return `{"isError":false,"content":[` + textBlock(long[:room-16-len(textBlock(""))-1]) + `,` + marker(room, size, "") + `]}`
		}},
		{"an image", `{"content":[` + textBlock(small) + `,` + image + `,` + textBlock("end") + `],"_meta":{"a":1}}`, false, func(size int) string {
			return `{"_meta":{"a":1},"content":[` + textBlock(small) + `,` + textBlock("end") + `,` + marker(16+len(textBlock(small))+1+len(textBlock("end"))+1, size, "; left out: 1 of the content's blocks") + `]}`
		}},
		{"structured content", `{"structuredContent":{"a":"` + long + `"},"content":[` + textBlock(small) + `]}`, false, func(size int) string {
			return `{"content":[` + textBlock(small) + `,` + marker(len(textBlock(small))+1, size, "; left out: structuredContent") + `]}`
		}},
		{"structured content that the tool promises", `{"structuredContent":{"a":"` + long + `"},"content":[],"isError":false}`, true, func(size int) string {
			return `{"isError":true,"content":[` + marker(16, size, "; left out: structuredContent") + `]}`
		}},
		{"structured content that fits", `{"structuredContent":{"a":1},"content":[` + image + `]}`, true, func(size int) string {
			return `{"structuredContent":{"a":1},"content":[` + marker(len(`"structuredContent":{"a":1},`), size, "; left out: 1 of the content's blocks") + `]}`
		}},
		{"no content", `{"content":7,"x\u0022y":"` + long + `","big":"` + long + `"}`, false, func(size int) string {
			return `{"content":[` + marker(0, size, "; left out: a further member, big, 1 of the content's blocks") + `]}`
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := cutter{server: "s", limit: limit, needsStructured: tt.needsStructured}
			got := string(c.result([]byte(tt.raw)))
			if diff := cmp.Diff(tt.want(len(tt.raw)), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBeginning(t *testing.T) {
	for _, tt := range []struct {
		text string
		size int
		want string
	}{
		{"abc", 2, "ab"},
		{"abc", 9, "abc"},
		{"aé", 2, "a"},
		{"aé", 3, "aé"},
		{`a\n`, 2, "a"},
		{`a\u00e9`, 6, "a"},
		{`a\u00e9b`, 7, `a\u00e9`},
		{`\ud83d\ude00x`, 11, ""},
		{`\ud83d\ude00x`, 12, `\ud83d\ude00`},
		{`\ud83dx`, 6, `\ud83d`},
		{`\ud83d\u0041`, 6, `\ud83d`},
		{"", 0, ""},
	} {
		if got := string(beginning([]byte(tt.text), tt.size)); got != tt.want {
			t.Errorf("%q, %d: got %q, want %q", tt.text, tt.size, got, tt.want)
		}
	}
}

// FuzzCut: whatever a result is, it is valid and fits afterwards.
func FuzzCut(f *testing.F) {
	f.Add(`{"content":[{"type":"text","text":"\ud83d\ude00é\n"},{"type":"image","data":"AAAA"},{"type":"text","text":7}],"isError":true}`, 900)
	f.Add(`{"content":{},"structuredContent":[1,2],"structuredContent":"x","content":["a"],"":{}}`, 800)
	f.Fuzz(func(t *testing.T, raw string, limit int) {
		if members, err := jsonrpc.ParseObject(nil, []byte(raw)); err != nil || len(members) == 0 {
			return
		}
		limit = max(markerRoom, limit%4096)
		c := cutter{server: strings.Repeat("s", 32), limit: limit, needsStructured: limit%2 == 0}
		got := c.result([]byte(raw))
		if !jsonrpc.Valid(got) || !utf8.Valid(got) || len(got) > limit {
			t.Fatalf("%q became %q, of %d bytes, want valid JSON of %d", raw, got, len(got), limit)
		}
		if blocks, err := jsonrpc.ParseArray(nil, memberOf(got, "content")); err != nil || len(blocks) == 0 {
			t.Errorf("%q became %q: %v, want content", raw, got, err)
		}
	})
}

func TestMaxResult(t *testing.T) {
	const limit = 4 << 10
	long := strings.Repeat("x", limit)
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			up := upstreamtest.New(upstreamtest.Script{
				Versions:     e.versions(),
				Capabilities: raw(`{"tools":{},"resources":{}}`),
				Tools:        raws(string(upstreamtest.Tool("echo")), string(upstreamtest.Tool("small"))),
				Rules: []upstreamtest.Rule{
					{On: "tools/call echo", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","content":[` + textBlock(long) + `]}`)}}},
					{On: "tools/call small", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","content":[` + textBlock(long[:3000]) + `]}`)}}},
					{On: "resources/list", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","ttlMs":0,"cacheScope":"private","resources":[{"uri":"x:1","name":"x"}]}`)}}},
					{On: "resources/read", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","ttlMs":0,"cacheScope":"private","contents":[{"uri":"x:1","text":"` + long + `"}]}`)}}},
				},
			})
			cfg := config(t, map[string]*upstreamtest.Server{"up": up}, "up")
			cfg.Servers[0].Limits.ResultBytes = limit
			_, h := start(t, cfg)
			h.send(e.open()...)
			h.send(e.request("0", "tools/list", "", ""), e.request("00", "resources/list", "", ""))
			got := h.send(e.call("1", "up__echo", "{}"))
			if len(got) != 1 || len(got[0]) > limit+200 || !strings.Contains(got[0], `xxx"},{"type":"text","text":"[weir cut this result: `) || strings.Contains(got[0], "isError") {
				t.Errorf("large: got %q, want it cut", got)
			}
			if got := h.send(e.call("2", "up__small", "{}")); len(got) != 1 || !strings.Contains(got[0], long[:3000]) || strings.Contains(got[0], "weir cut") {
				t.Errorf("small: got %q, want it whole", got)
			}
			got = h.send(e.request("3", "resources/read", `"uri":"x:1"`, ""))
			if len(got) != 1 || !strings.Contains(got[0], `"error":{"code":-32603,"message":"Server \"up\": the result has 4`) || !strings.Contains(got[0], `allows max_result 4 KiB. Ask for less, or tell the user.","data":{"kind":"serialization","server":"up","retryable":false}`) {
				t.Errorf("resource: got %q, want an error", got)
			}
		})
	}
}
