package cli

import "testing"

func TestProgressText(t *testing.T) {
	for params, want := range map[string]string{
		`{"progress":3}`: "calling x: 3",
		`{"progress":1,"total":4,"message":"one"}`:      "calling x: [#####---------------] 25 % one",
		`{"progress":0.5,"total":0.5}`:                  "calling x: [####################] 100 %",
		`{"progress":9,"total":4}`:                      "calling x: [####################] 100 %",
		`{"progress":0,"total":1e3}`:                    "calling x: [--------------------] 0 %",
		`{"progress":1,"total":0}`:                      "calling x: 1",
		`{"progress":-1,"total":4}`:                     "calling x: -1",
		`{"progress":1e400,"total":1e400}`:              "calling x: 1e400",
		`{"progress":"much","total":4,"message":"odd"}`: `calling x: "much" odd`,
	} {
		if got := progressText("x", []byte(params)); got != want {
			t.Errorf("%s: got %q, want %q", params, got, want)
		}
	}
}
