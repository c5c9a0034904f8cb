package formats

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadCalls(t *testing.T) {
	for _, tt := range []struct {
		name    string
		api     API
		raw     string
		want    []string // id, name, arguments
		several bool
	}{
		{
			"a call", OpenAI,
			`{"id":"c1","type":"function","function":{"name":"n","arguments":"{\"a\": 9007199254740993}"}}`,
			[]string{`"c1" n {"a": 9007199254740993}`},
			false,
		},
		{"without arguments", OpenAI, `{"id":"c1","function":{"name":"n","arguments":" "}}`, []string{`"c1" n {}`}, false},
		{"arguments that are not written", OpenAI, `{"id":"c1","function":{"name":"n","arguments":{"a":1}}}`, []string{`"c1" n {"a":1}`}, false},
		{
			"a message", OpenAI,
			` {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"n","arguments":"{}"}},{"id":"c2","type":"custom","custom":{}},{"id":"c3","type":"function","function":{"name":"m","arguments":"{}"}}]}` + "\n",
			[]string{`"c1" n {}`, `"c3" m {}`},
			true,
		},
		{"a call", OpenAIResponses, `{"type":"function_call","id":"i","call_id":"c1","name":"n","arguments":"{\"a\":1}"}`, []string{`"c1" n {"a":1}`}, false},
		{"an output", OpenAIResponses, `[{"type":"reasoning","id":"r"},{"type":"function_call","call_id":"c1","name":"n","arguments":"{}"}]`, []string{`"c1" n {}`}, true},
		{"a block", Anthropic, `{"type":"tool_use","id":"t","name":"n","input":{"a":1.0}}`, []string{`"t" n {"a":1.0}`}, false},
		{"a message", Anthropic, `{"role":"assistant","content":[{"type":"text","text":"x"},{"type":"tool_use","id":"t","name":"n"}]}`, []string{`"t" n {}`}, true},
		{"a call", Gemini, `{"name":"n","args":{"a":1}}`, []string{` n {"a":1}`}, false},
		{"a part with an id", Gemini, `{"functionCall":{"id":"g","name":"n","args":null},"thoughtSignature":"x"}`, []string{`"g" n {}`}, false},
		{"a content", Gemini, `{"role":"model","parts":[{"text":"x"},{"functionCall":{"name":"n"}}]}`, []string{` n {}`}, true},
	} {
		t.Run(string(tt.api)+" "+tt.name, func(t *testing.T) {
			calls, several, err := tt.api.ReadCalls([]byte(tt.raw))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range calls {
				if c.Problem != nil {
					t.Errorf("%s: %v", c.Name, c.Problem)
				}
				got = append(got, string(c.ID)+" "+c.Name+" "+string(c.Arguments))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || several != tt.several {
				t.Errorf("several: %v, -want +got\n%s", several, diff)
			}
		})
	}
}

func TestReadCallsRefused(t *testing.T) {
	for _, tt := range []struct {
		api       API
		raw, want string
	}{
		{OpenAI, `{`, "not JSON"},
		{OpenAI, ``, "not JSON"},
		{OpenAI, `{"a":1} x`, "not JSON"},
		{OpenAI, `"x"`, "no tool call"},
		{OpenAI, `[]`, "no tool call"},
		{OpenAI, `{"type":"tool_use","id":"t","name":"n"}`, "no tool call"},
		{OpenAI, `{"id":"c","function":{"arguments":"{}"}}`, "has no name"},
		{OpenAI, `{"function":{"name":"n","arguments":"{}"}}`, `the call of "n" in it has no id`},
		{OpenAIResponses, `{"type":"function_call","id":"i","name":"n"}`, `has no call_id`},
		{Anthropic, `{"type":"tool_use","id":7,"name":"n"}`, `has no id`},
		{Gemini, `{"id":{},"name":"n"}`, `has no id`},
		{Gemini, `{"functionCall":7}`, "no tool call"},
	} {
		t.Run(string(tt.api)+" "+tt.raw, func(t *testing.T) {
			if _, _, err := tt.api.ReadCalls([]byte(tt.raw)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestReadCallsProblem(t *testing.T) {
	for _, arguments := range []string{`"{\"a\":"`, `"[1]"`, `7`} {
		calls, _, err := OpenAI.ReadCalls([]byte(`{"id":"c1","function":{"name":"n","arguments":` + arguments + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		if calls[0].Problem == nil || !strings.Contains(calls[0].Problem.Error(), "not a JSON object") {
			t.Errorf("%s: got %v, want that it is no object", arguments, calls[0].Problem)
		}
	}
}

func TestWriteAnswer(t *testing.T) {
	const (
		text  = `{"type":"text","text":"a\u003cb"}`
		image = `{"type":"image","mimeType":"image/png","data":"aGVsbG8="}`
		sound = `{"type":"audio","mimeType":"audio/wav","data":"aGVsbG8="}`
		paper = `{"type":"resource","resource":{"uri":"f:///p.pdf","mimeType":"application/pdf","blob":"aGVsbG8="}}`
	)
	for _, tt := range []struct {
		name    string
		answer  Answer
		content []string
		want    map[API]string
	}{
		{"a text", Answer{}, []string{text}, map[API]string{
			OpenAI:          `{"role":"tool","tool_call_id":"c","content":"a\u003cb"}`,
			OpenAIResponses: `{"type":"function_call_output","call_id":"c","output":"a\u003cb"}`,
			Anthropic:       `{"type":"tool_result","tool_use_id":"c","content":"a\u003cb"}`,
			Gemini:          `{"functionResponse":{"id":"c","name":"n","response":{"output":"a<b"}}}`,
		}},
		{"nothing", Answer{}, []string{`{"type":"text","text":""}`}, map[API]string{
			OpenAI:          `{"role":"tool","tool_call_id":"c","content":""}`,
			OpenAIResponses: `{"type":"function_call_output","call_id":"c","output":""}`,
			Anthropic:       `{"type":"tool_result","tool_use_id":"c","content":""}`,
			Gemini:          `{"functionResponse":{"id":"c","name":"n","response":{"output":""}}}`,
		}},
		{"an image", Answer{}, []string{text, image}, map[API]string{
			OpenAI:          `{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"a\u003cb"},{"type":"text","text":"[image, image/png, about 6 bytes: cannot be shown here]"}]}`,
			OpenAIResponses: `{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"a\u003cb"},{"type":"input_image","image_url":"data:image/png;base64,aGVsbG8="}]}`,
			Anthropic:       `{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a\u003cb"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGVsbG8="}}]}`,
			Gemini:          `{"functionResponse":{"id":"c","name":"n","response":{"output":"a<b"},"parts":[{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}}]}}`,
		}},
		{"a paper", Answer{}, []string{paper}, map[API]string{
			OpenAI:          `{"role":"tool","tool_call_id":"c","content":"[resource f:///p.pdf, application/pdf, about 6 bytes: cannot be shown here]"}`,
			OpenAIResponses: `{"type":"function_call_output","call_id":"c","output":"[resource f:///p.pdf, application/pdf, about 6 bytes: cannot be shown here]"}`,
			Anthropic:       `{"type":"tool_result","tool_use_id":"c","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"aGVsbG8="}}]}`,
			Gemini:          `{"functionResponse":{"id":"c","name":"n","response":{"output":""},"parts":[{"inlineData":{"mimeType":"application/pdf","data":"aGVsbG8="}}]}}`,
		}},
		{"sound", Answer{}, []string{sound}, map[API]string{
			OpenAIResponses: `{"type":"function_call_output","call_id":"c","output":"[audio, audio/wav, about 6 bytes: cannot be shown here]"}`,
			Anthropic:       `{"type":"tool_result","tool_use_id":"c","content":"[audio, audio/wav, about 6 bytes: cannot be shown here]"}`,
			Gemini:          `{"functionResponse":{"id":"c","name":"n","response":{"output":"[audio, audio/wav, about 6 bytes: cannot be shown here]"}}}`,
		}},
		{"an image without data", Answer{}, []string{`{"type":"image","mimeType":"image/png"}`}, map[API]string{
			Anthropic: `{"type":"tool_result","tool_use_id":"c","content":"[image, image/png, about 0 bytes: cannot be shown here]"}`,
		}},
		{"a failure with an image", Answer{Failed: true}, []string{text, image}, map[API]string{
			OpenAI:    `{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"The tool call failed."},{"type":"text","text":"a\u003cb"},{"type":"text","text":"[image, image/png, about 6 bytes: cannot be shown here]"}]}`,
			Anthropic: `{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a\u003cb"},{"type":"text","text":"[image, image/png, about 6 bytes: cannot be shown here]"}],"is_error":true}`,
			Gemini:    `{"functionResponse":{"id":"c","name":"n","response":{"error":"a<b"},"parts":[{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}}]}}`,
		}},
		{"structured only", Answer{Structured: []byte(`{"a":1.0}`)}, nil, map[API]string{
			OpenAI: `{"role":"tool","tool_call_id":"c","content":"{\"a\":1.0}"}`,
		}},
		{"structured and said", Answer{Structured: []byte(`{"a":1.0}`)}, []string{text}, map[API]string{
			OpenAI: `{"role":"tool","tool_call_id":"c","content":"a\u003cb"}`,
		}},
		{"a link and a text within", Answer{}, []string{
			`{"type":"resource_link","name":"N","uri":"f:///x","description":"D"}`, `{"type":"resource","resource":{"uri":"f:///y","text":"T"}}`, `{"type":"new"}`,
		}, map[API]string{
			OpenAI: `{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"[resource N: f:///x]\nD"},{"type":"text","text":"T"},{"type":"text","text":"{\"type\":\"new\"}"}]}`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, block := range tt.content {
				tt.answer.Content = append(tt.answer.Content, []byte(block))
			}
			for api, want := range tt.want {
				got := api.WriteAnswer(Call{ID: []byte(`"c"`), Name: "n"}, tt.answer)
				if diff := cmp.Diff(want, string(got)); diff != "" {
					t.Errorf("%s: -want +got\n%s", api, diff)
				}
			}
		})
	}
}

func TestWriteAnswerWithoutID(t *testing.T) {
	const want = `{"functionResponse":{"name":"n","response":{"error":"no"}}}`
	if got := string(Gemini.WriteAnswer(Call{Name: "n"}, Failure("no"))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
