package upstream

import "testing"

func TestWithhold(t *testing.T) {
	for _, tt := range []struct {
		name, from string
		names      []string
		want       string
	}{
		{"nothing", `{"sampling":{"tools":{}},"x":1.0}`, nil, `{"sampling":{"tools":{}},"x":1.0}`},
		{"one", `{"roots":{"listChanged":true},"sampling":{},"x":1.0}`, []string{"sampling"}, `{"roots":{"listChanged":true},"x":1.0}`},
		{"all", `{"roots":{},"sampling":{},"elicitation":{}}`, []string{"elicitation", "roots", "sampling"}, `{}`},
		{"twice", `{"sampling":{},"sampling":{"tools":{}}}`, []string{"sampling"}, `{}`},
		{"in another case", `{"Sampling":{}}`, []string{"sampling"}, `{}`},
		{"escaped", `{"s\u0061mpling":{}}`, []string{"sampling"}, `{}`},
		{
			"as a task", `{"sampling":{},"tasks":{"cancel":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}}}`,
			[]string{"sampling"},
			`{"tasks":{"cancel":{},"requests":{"elicitation":{"create":{}}}}}`,
		},
		{"no object", `[]`, []string{"sampling"}, `{}`},
		{"tasks that are no object", `{"tasks":7}`, []string{"sampling"}, `{"tasks":7}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Withhold([]byte(tt.from), tt.names)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
