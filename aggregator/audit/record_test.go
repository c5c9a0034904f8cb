package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 7_654_321, time.FixedZone("", 3600))

func full() Record {
	return Record{
		Time: noon, Principal: "laptop", Host: "claude-code 2.1", Server: "files", Kind: KindTool, Method: "tools/call",
		Name: "read <\x00é\"", Verdict: "execute", Rule: "rule 2", RuleFile: `C:\weir\mcp.yaml`, RuleLine: 12,
		Outcome: OK, Duration: 1042 * time.Microsecond, RequestBytes: 120, ResponseBytes: 3000,
	}
}

func TestLine(t *testing.T) {
	change := func(f func(*Record)) Record {
		r := full()
		f(&r)
		return r
	}
	head := `{"time":"2026-11-22T11:00:00.007Z","principal":"laptop","host":"claude-code 2.1","server":"files",`
	middle := `"kind":"tool","method":"tools/call","name":"read <\u0000é\"","verdict":"execute",`
	rule := `"rule":"rule 2, C:\\weir\\mcp.yaml:12",`
	tail := `"duration_ms":1.042,"request_bytes":120,"response_bytes":3000`
	// One encoder for all: what it remembers of one line must not get into another.
	e := lineEncoder{arguments: true}
	upper := func(dst, raw []byte) []byte { return append(dst, bytes.ReplaceAll(raw, []byte("b"), []byte("B"))...) }
	for _, tt := range []struct {
		name   string
		record Record
		want   string
	}{
		{"all", full(), head + middle + rule + `"outcome":"ok",` + tail + "}\n"},
		{
			"another outcome", change(func(r *Record) { r.Outcome = Error }),
			head + middle + rule + `"outcome":"error",` + tail + "}\n",
		},
		{
			"a default decided", change(func(r *Record) { r.Rule = "" }),
			head + middle + `"rule":"C:\\weir\\mcp.yaml:12","outcome":"ok",` + tail + "}\n",
		},
		{
			"nothing decided", change(func(r *Record) { r.Rule, r.RuleFile = "", "" }),
			head + middle + `"rule":"","outcome":"ok",` + tail + "}\n",
		},
		{
			"failed", change(func(r *Record) { r.Outcome, r.Failure, r.MaybeRan = Failed, "timeout", true }),
			head + middle + rule + `"outcome":"failed","failure":"timeout","maybe_ran":true,` + tail + "}\n",
		},
		{
			"list", change(func(r *Record) { r.Kind, r.Count = KindList, 0 }),
			strings.Replace(head+middle+rule+`"outcome":"ok","count":0,`+tail+"}\n", `"kind":"tool"`, `"kind":"list"`, 1),
		},
		{
			"arguments", change(func(r *Record) { r.Arguments = []byte("{\"a\":\n\"b\"}") }),
			head + middle + rule + `"outcome":"ok",` + tail + `,"arguments":{"a": "B"}}` + "\n",
		},
		{
			"whole milliseconds", change(func(r *Record) { r.Duration = 3 * time.Millisecond }),
			head + middle + rule + `"outcome":"ok",` + strings.Replace(tail, "1.042", "3", 1) + "}\n",
		},
	} {
		if got := string(e.lineOf(&tt.record, upper)); got != tt.want {
			t.Errorf("%s:\ngot  %swant %s", tt.name, got, tt.want)
		}
	}
}

// lineOf is the line of one record as it comes into the file.
func (e *lineEncoder) lineOf(r *Record, redact func(dst, raw []byte) []byte) []byte {
	var b batch
	e.append(&b, r)
	return b.redacted(nil, redact)
}

func TestClockGoesOn(t *testing.T) {
	var e lineEncoder
	for _, after := range []time.Duration{0, 5 * time.Millisecond, time.Second, -time.Hour} {
		at := noon.Add(after)
		want := `"time":"` + at.UTC().Format("2006-01-02T15:04:05.000Z") + `"`
		if got := string(e.appendTime(nil, at)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func unredacted(dst, raw []byte) []byte { return append(dst, raw...) }

// TestLinesAreBounded: whatever stands in a record, its line is JSON that a
// reader takes.
func TestLinesAreBounded(t *testing.T) {
	long := strings.Repeat("\x01é\xff", 1<<20)
	r := full()
	r.Principal, r.Host, r.Server, r.Name, r.Rule, r.RuleFile, r.Failure = long, long, long, long, long, long, long
	r.bounded()
	r.Arguments = []byte(`{"a":"` + strings.Repeat("x", maxArguments-10) + `"}`)
	e := lineEncoder{arguments: true}
	line := e.lineOf(&r, unredacted)
	if len(line) > maxLine || !json.Valid(line) || !utf8.Valid(line) || !bytes.Contains(line, []byte(`"arguments":{`)) {
		t.Errorf("got %d bytes, want %d at most: %.300q", len(line), maxLine, line)
	}
	if _, ok := parse(line); !ok {
		t.Error("a reader does not take it")
	}
	grown := func(dst, raw []byte) []byte { return append(append(dst, raw...), "      more than was there"...) }
	if line := e.lineOf(&r, grown); !bytes.HasSuffix(line, []byte(`,"arguments_bytes":32766}`+"\n")) {
		t.Errorf("got %.20q … %q", line, line[len(line)-60:])
	}
}

func TestEachTextIsBounded(t *testing.T) {
	var r Record
	for i, text := range []*string{&r.Principal, &r.Host, &r.Server, &r.Name, &r.Rule, &r.RuleFile, &r.Failure} {
		for size, want := range map[int]int{maxText: maxText, maxText + 1: maxText + len("…")} {
			*text = strings.Repeat("x", size)
			if r.bounded(); len(*text) != want {
				t.Errorf("text %d of %d bytes has %d, want %d", i, size, len(*text), want)
			}
			*text = ""
		}
	}
}
