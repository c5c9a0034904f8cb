package cli

import (
	"strings"
	"testing"
)

func TestCallFrom(t *testing.T) {
	newHome(t)
	config := writeConfig(t, strings.Replace(oneServer, "servers:\n", "servers:\n  long: {command: WEIR, args: [demo-server], prefix: \"9\"}\n", 1))
	for _, tt := range []struct {
		name  string
		args  []string
		stdin string
		code  int
		want  string // of stdout
	}{
		{
			"OpenAI",
			[]string{"openai", `{"id":"c1","type":"function","function":{"name":"desk__echo","arguments":"{\"text\":\"a-b\"}"}}`},
			"",
			exitOK, `{"role":"tool","tool_call_id":"c1","content":"a-b"}`,
		},
		{
			"an optional argument as null",
			[]string{"openai", `{"id":"c1","function":{"name":"desk__slow","arguments":"{\"seconds\":0,\"steps\":null}"}}`},
			"",
			exitOK, `{"role":"tool","tool_call_id":"c1","content":"done after 0 seconds"}`,
		},
		{
			"Responses on stdin",
			[]string{"openai-responses"},
			`{"type":"function_call","call_id":"c1","name":"desk__add","arguments":"{\"a\":2,\"b\":40}"}`,
			exitOK, `{"type":"function_call_output","call_id":"c1","output":"42"}`,
		},
		{
			"a name of the API",
			[]string{"gemini", "-"},
			`{"functionCall":{"id":"g","name":"_9__echo_jlj3hi","args":{"text":"x"}}}`,
			exitOK, `{"functionResponse":{"id":"g","name":"_9__echo_jlj3hi","response":{"output":"x"}}}`,
		},
		{
			"two of a message, one denied",
			[]string{"anthropic"},
			`{"content":[{"type":"text","text":"x"},{"type":"tool_use","id":"t1","name":"desk__delete_everything","input":{}},{"type":"tool_use","id":"t2","name":"desk__echo","input":{"text":"x"}}]}`,
			exitFailed,
			"[\n" + `{"type":"tool_result","tool_use_id":"t1","content":"Unknown tool: desk__delete_everything","is_error":true},` + "\n" +
				`{"type":"tool_result","tool_use_id":"t2","content":"x"}` + "\n]",
		},
		{
			"a failure",
			[]string{"anthropic", `{"type":"tool_use","id":"t1","name":"desk__fail","input":{"message":"oh no"}}`},
			"",
			exitFailed, `{"type":"tool_result","tool_use_id":"t1","content":"oh no","is_error":true}`,
		},
		{
			"arguments cut off",
			[]string{"openai", `{"id":"c1","function":{"name":"desk__echo","arguments":"{\"text\":"}}`},
			"",
			exitFailed, `{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"The tool call failed."},{"type":"text","text":"the arguments are not a JSON object`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"--config", config, "call", "--from"}, tt.args...)
			got := weirWithInput(t, tt.stdin, args...)
			got.wants(t, tt.code)
			if !strings.HasPrefix(got.stdout, tt.want) {
				t.Errorf("got %s, want %s", got.stdout, tt.want)
			}
			if tt.code == exitFailed && !strings.Contains(got.stderr, "1 call failed; the model is told") {
				t.Errorf("got %q on stderr", got.stderr)
			}
		})
	}
}

func TestCallFromUsage(t *testing.T) {
	newHome(t)
	const call = `{"type":"tool_use","id":"t","name":"n","input":{}}`
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--from", "cobol", call}, `unknown API "cobol"`},
		{[]string{"--from", "anthropic", "--json", call}, "contradict each other"},
		{[]string{"--from", "anthropic", call, "a=1"}, `unexpected argument "a=1"`},
		{[]string{"--from", "anthropic", "{}"}, "there is no tool call in it"},
		{[]string{"--from", "anthropic"}, "it is not JSON"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			got := weir(t, append([]string{"call"}, tt.args...)...)
			got.wants(t, exitUsage, tt.want)
			if got.stdout != "" {
				t.Errorf("got %q on stdout", got.stdout)
			}
		})
	}
}
