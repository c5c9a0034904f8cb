package cli

import (
	"encoding/json"
	"testing"
)

func TestPolicyExplain(t *testing.T) {
	newHome(t)
	config := writeConfig(t, oneServer)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"allowed", []string{"desk__echo", "text=x"}, exitOK, []string{
			`tool "echo" of server desk`, "execute", "no rule matches; the default is execute", "it may be used",
		}},
		{"denied", []string{"desk__delete_everything"}, exitOK, []string{
			"deny", `rule 1 denies tool "delete_*" of server "desk" (`, "mcp.yaml:7)", "it does not exist for the host",
		}},
		{"listed only", []string{"desk__now"}, exitOK, []string{"read", "rule 2", "it is listed, and a call is refused"}},
		{"not listed by anybody", []string{"desk__delete_more"}, exitOK, []string{"deny", "no server lists it"}},
		{"weir's own", []string{"weir__servers"}, exitOK, []string{"deny", `no rule names server "weir"`}},
		{"a resource", []string{"--resource", "demo://nowhere"}, exitFailed, []string{"no server lists it, and none is named in it"}},
		{"nobody's", []string{"nobody"}, exitFailed, []string{`"nobody": no server lists it, and none is named in it (see: weir tools`}},
		{"a wrong argument", []string{"desk__echo", "txt=x"}, exitUsage, []string{`did you mean "text"?`}},
		{"nothing", nil, exitUsage, []string{"missing the NAME"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			weir(t, append([]string{"policy", "explain", "--config", config}, tt.args...)...).wants(t, tt.code, tt.want...)
		})
	}
}

func TestPolicyExplainJSON(t *testing.T) {
	newHome(t)
	got := weir(t, "policy", "explain", "--json", "--config", writeConfig(t, oneServer), "desk__now")
	got.wants(t, exitOK)
	var e struct {
		Server, Name, Level string
		Known, Listed, Ask  bool
		Callable            *bool
	}
	if err := json.Unmarshal([]byte(got.stdout), &e); err != nil {
		t.Fatalf("%v in %s", err, got.stdout)
	}
	if e.Server != "desk" || e.Name != "now" || e.Level != "read" || !e.Known || !e.Listed || e.Ask || e.Callable == nil || *e.Callable {
		t.Errorf("got %s", got.stdout)
	}
}
