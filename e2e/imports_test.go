package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/weir-mcp/weir"

// A place is where a package stands in the house: which others of this module
// it may import. A package that is not here has no place yet.
type place struct {
	pkg    string // below the module; "" is main
	may    []string
	reason string
}

var order = []place{
	{"", []string{"internal/cli", "internal/prelude/first", "upstream/process"}, "main hands the process to cli, or to the guardian of children"},
	{
		"internal/cli",
		[]string{
			"aggregator", "aggregator/approval", "aggregator/audit", "aggregator/canonical", "aggregator/catalog", "aggregator/namespace", "aggregator/pins", "aggregator/redact", "aggregator/telemetry",
			"internal/config", "internal/demo", "internal/doctor", "internal/formats", "internal/hostedit", "internal/hosts", "internal/live", "internal/prelude", "internal/prelude/keep", "internal/resident", "internal/spell", "internal/watch", "policy", "upstream", "upstream/auth", "upstream/auth/credentials", "upstream/auth/keyring", "upstream/auth/login",
			"upstream/jsonrpc", "upstream/pipe", "upstream/process", "upstream/state",
		},
		"the front of the house wires all of it",
	},
	{
		"internal/config",
		[]string{
			"aggregator", "aggregator/catalog", "aggregator/namespace", "aggregator/overrides", "aggregator/pins",
			"aggregator/redact", "internal/spell", "policy", "upstream", "upstream/auth", "upstream/auth/keyring",
			"upstream/customtools", "upstream/jsonrpc", "upstream/state",
		},
		"each package owns its part of the configuration; only cli stands above it",
	},
	{"internal/doctor", []string{"internal/hosts", "upstream/jsonrpc"}, "what is wrong follows from facts; who finds those out stands above"},
	{"internal/formats", []string{"aggregator/namespace", "upstream/jsonrpc"}, "an API takes a definition or not, wherever the tool is"},
	{
		"internal/hosts",
		[]string{"aggregator", "aggregator/redact", "internal/config", "policy", "upstream/jsonrpc", "upstream/state"},
		"what a host has becomes what weir has; nobody below knows that there are hosts, but for the names that they give themselves",
	},
	{"internal/live", []string{"upstream/state"}, "how a weir is is told as it is; who finds it out stands above"},
	{"internal/prelude", nil, "it is there before what it speaks for, and whatever it imported would come before it"},
	{"internal/prelude/keep", []string{"internal/prelude", "upstream/state"}, "a record is a file, made in peace"},
	{"internal/prelude/first", []string{"internal/prelude"}, "the host waits for it, and for whatever it imports"},
	{"internal/resident", nil, "what is in memory is the system's to say"},
	{"internal/spell", nil, "words are words"},
	{"internal/watch", nil, "something happens to files, whatever is in them"},
	{"internal/demo", []string{"upstream/jsonrpc"}, "the demo's server is nobody's part: it could be any server"},
	{"internal/hostedit", []string{"upstream/jsonrpc"}, "a text is changed the same wherever it lies and whoever asks"},
	{
		"aggregator",
		[]string{
			"aggregator/approval", "aggregator/audit", "aggregator/canonical", "aggregator/catalog", "aggregator/hygiene",
			"aggregator/namespace", "aggregator/overrides", "aggregator/pins", "aggregator/redact", "aggregator/search", "aggregator/telemetry",
			"policy", "upstream", "upstream/auth", "upstream/auth/login", "upstream/jsonrpc", "upstream/schema",
		},
		"the host side knows servers, not how bytes get there",
	},
	{"aggregator/audit", []string{"upstream/jsonrpc", "upstream/state"}, "a record is lines in a file; who decided what is not its business"},
	{"aggregator/telemetry", []string{"upstream/jsonrpc"}, "what is told of a request says who tells it"},
	{"aggregator/redact", []string{"upstream/jsonrpc"}, "a secret is one wherever it stands"},
	{"aggregator/catalog", []string{"aggregator/hygiene", "aggregator/namespace", "aggregator/overrides", "upstream/jsonrpc", "upstream/state"}, "lists are bytes and names"},
	{"aggregator/hygiene", []string{"upstream/jsonrpc"}, "what must not be seen is a matter of texts"},
	{
		"aggregator/approval",
		[]string{"aggregator/canonical", "policy", "upstream/jsonrpc", "upstream/state"},
		"what was approved is a file; who asks, and how, is the host side's business",
	},
	{"aggregator/canonical", []string{"upstream/jsonrpc"}, "one spelling of a value, whatever it is for"},
	{"aggregator/namespace", nil, "names are pure"},
	{"aggregator/overrides", []string{"upstream/jsonrpc"}, "what is sent otherwise is a matter of bytes"},
	{"aggregator/pins", []string{"aggregator/canonical", "upstream/jsonrpc", "upstream/state"}, "pins are digests of bytes, kept in files"},
	{"aggregator/search", []string{"upstream/jsonrpc"}, "what fits words is a matter of texts; who may see it is known above"},
	{"policy", []string{"upstream/jsonrpc"}, "a decision is a function of its request, in which arguments are as raw as on the wire"},
	{
		"upstream",
		[]string{"upstream/auth", "upstream/auth/login", "upstream/customtools", "upstream/jsonrpc", "upstream/process", "upstream/transport"},
		"the far side knows nothing of names, policy or hosts",
	},
	{
		"upstream/auth",
		[]string{"upstream/auth/credentials", "upstream/auth/discovery", "upstream/auth/guard", "upstream/auth/login", "upstream/jsonrpc"},
		"a request is authenticated whatever it says and whatever it travels over",
	},
	{"upstream/auth/discovery", []string{"upstream/auth/guard", "upstream/jsonrpc"}, "who gives out tokens is found out with none at hand"},
	{
		"upstream/auth/credentials",
		[]string{"upstream/auth/keyring", "upstream/jsonrpc", "upstream/state"},
		"what is kept is kept the same however it was had",
	},
	{"upstream/auth/login", []string{"upstream/auth/guard"}, "a person logs in somewhere; what comes of it is not told here"},
	{"upstream/auth/keyring", nil, "a secret has a name"},
	{"upstream/auth/guard", nil, "a URL is a URL, whatever lies there"},
	{
		"upstream/customtools",
		[]string{"upstream/jsonrpc", "upstream/process", "upstream/schema", "upstream/transport"},
		"it is a server, which happens to be within",
	},
	{
		"upstream/transport",
		[]string{"upstream/jsonrpc", "upstream/pipe", "upstream/process"},
		"a transport moves messages and does not know what a server is",
	},
	{"upstream/process", []string{"upstream/pipe"}, "a process has streams; what travels on them is not its business"},
	{"upstream/pipe", nil, "a pipe is a pipe"},
	{"upstream/state", nil, "a file that must not be lost is a file, whatever is in it"},
	{"upstream/schema", []string{"upstream/jsonrpc"}, "a value fits a schema or not, whoever wrote them"},
	{"upstream/jsonrpc", nil, "the wire is the ground floor"},
	{"upstream/upstreamtest", []string{"upstream/jsonrpc"}, "a test of a transport must not be served by that transport"},
	{"upstream/upstreamtest/authserver", []string{"upstream/jsonrpc", "upstream/upstreamtest"}, "a test of authorization must not be served by that"},
	{"upstream/upstreamtest/desktop", nil, "a keyring to test with knows nothing of who uses it"},
	{
		"upstream/upstreamtest/reference",
		[]string{"upstream/jsonrpc", "upstream/upstreamtest"},
		"what weir is compared with shares nothing with weir but the parser",
	},
	{"e2e/bridge", []string{"upstream/jsonrpc"}, "it stands before weir, and shares only the parser of messages with it"},
	{
		"scripts/chaos",
		[]string{"scripts/rig", "upstream/jsonrpc", "upstream/upstreamtest"},
		"it is all that is around weir, and shares only the parser of messages with it",
	},
	{
		"scripts/soak",
		[]string{"scripts/rig", "upstream/jsonrpc", "upstream/upstreamtest"},
		"it is all that is around weir, for a long time",
	},
	{"scripts/bench", nil, "the benchmark sees weir as a host does"},
	{"scripts/conformance", []string{"e2e/bridge", "upstream/jsonrpc"}, "the suite sees weir as a host or a server does"},
	{"scripts/manual", []string{"internal/cli"}, "it writes down what the command line says of itself"},
	{"scripts/release", nil, "it sees weir as a user of a release does"},
	{"scripts/searchquality", []string{"aggregator/search"}, "it asks the index what hosts ask it"},
	{"scripts/firstcall", nil, "it does what a person does who has only the program"},
	{"scripts/record", nil, "it draws what a terminal shows"},
	{
		"scripts/rig",
		[]string{"upstream/upstreamtest"},
		"it holds weir by its streams and its servers' connections, and sees nothing within",
	},
	{"scripts/bench/peer", []string{"upstream/jsonrpc"}, "a server that costs next to nothing"},
	{"scripts/bench/web", []string{"upstream/jsonrpc"}, "the same server, for networks"},
	{"scripts/bench/sdk", nil, "what weir is compared with shares nothing with weir"},
	{"scripts/bench/gosdk", nil, "what weir is compared with shares nothing with weir"},
}

func TestImportOrder(t *testing.T) {
	packages := listPackages(t)
	for name, p := range packages {
		i := slices.IndexFunc(order, func(o place) bool { return o.pkg == name })
		if i < 0 && name != "e2e" {
			t.Errorf("package %q has no place in the order of imports: give it one, with its reason", name)
		}
		for _, imported := range p.Imports {
			below, ours := strings.CutPrefix(imported, module+"/")
			if ours && i >= 0 && !slices.Contains(order[i].may, below) {
				t.Errorf("%q imports %q: %s", name, below, order[i].reason)
			}
		}
	}
	for _, o := range order {
		if _, there := packages[o.pkg]; !there {
			t.Errorf("no package %q", o.pkg)
		}
	}
}

// foreign says which packages of others may be imported by which of ours, test
// files aside.
var foreign = []struct {
	imported string // it and all below it
	only     []string
	reason   string
}{
	{"log", []string{"scripts/rig"}, "the log is zerolog's, on stderr; but net/http knows no other to be silent in"},
	{"testing", []string{"upstream/upstreamtest", "upstream/upstreamtest/authserver", "upstream/upstreamtest/desktop"}, "nothing of tests is in the binary"},
	{"github.com/modelcontextprotocol/go-sdk", []string{"scripts/bench/gosdk"}, "it is a peer in tests"},
	{"github.com/mark3labs/mcp-go/server", []string{"scripts/bench/sdk"}, "it is a peer in tests; linked in, it costs every start"},
	{"github.com/mark3labs/mcp-go/client", []string{"scripts/bench/sdk"}, "it is a peer in tests"},
	{
		"github.com/mark3labs/mcp-go/mcp",
		[]string{"aggregator", "internal/cli", "internal/demo", "scripts/bench/sdk", "upstream/customtools", "upstream/transport"},
		"for what weir itself authors, and headers; not for what passes through",
	},
	{
		"github.com/spf13/cobra",
		[]string{"internal/cli"},
		"the command line is one room",
	},
	{
		"gopkg.in/yaml.v3",
		[]string{"internal/config", "internal/hosts", "policy"},
		"YAML is read where the configuration is; its nodes are the tree of every file with servers in it",
	},
	{"github.com/pelletier/go-toml", []string{"internal/hostedit", "internal/hosts"}, "one host writes TOML"},
	{
		"cel.dev/cel-go",
		[]string{"policy"},
		"conditions are policy's",
	},
	{
		"github.com/gorilla/websocket",
		[]string{"scripts/bench", "scripts/bench/web", "upstream/transport", "upstream/upstreamtest"},
		"a WebSocket is a transport",
	},
	{
		"golang.org/x/oauth2",
		[]string{"upstream/auth", "upstream/auth/login"},
		"only authentication speaks to token endpoints",
	},
	{"github.com/fsnotify/fsnotify", []string{"internal/watch"}, "what systems tell of files differs; that is known in one place"},
	{"github.com/golang-jwt/jwt", []string{"upstream/auth", "upstream/upstreamtest/authserver"}, "assertions are a way to authenticate"},
	{"github.com/zalando/go-keyring", []string{"upstream/auth/keyring"}, "it knows no time limit"},
	{
		"github.com/rs/zerolog",
		[]string{"aggregator", "aggregator/catalog", "internal/cli", "upstream", "upstream/auth", "upstream/process", "upstream/transport"},
		"pure packages do not log",
	},
	{
		"os/exec",
		[]string{
			"e2e/bridge", "internal/cli", "scripts/bench", "scripts/bench/gosdk", "scripts/bench/peer", "scripts/chaos", "scripts/conformance", "scripts/firstcall",
			"scripts/release", "scripts/rig", "scripts/soak", "upstream/auth/login", "upstream/process", "upstream/transport", "upstream/upstreamtest/desktop",
		},
		"servers are started in one place, in groups that end with weir; cli starts weir for the demo, login a browser, which outlives it",
	},
	{
		"net/http",
		[]string{
			"aggregator/telemetry", "e2e/bridge", "internal/cli", "internal/demo", "scripts/bench", "scripts/bench/web", "scripts/chaos", "scripts/conformance", "scripts/rig", "upstream",
			"upstream/auth", "upstream/auth/discovery", "upstream/auth/guard",
			"upstream/auth/login", "upstream/customtools", "upstream/transport", "upstream/upstreamtest", "upstream/upstreamtest/authserver",
		},
		"networks are upstream's business, but for the collector of telemetry, which nobody's request goes to",
	},
}

func TestForeignImports(t *testing.T) {
	for name, p := range listPackages(t) {
		for _, imported := range p.Imports {
			for _, rule := range foreign {
				if (imported == rule.imported || strings.HasPrefix(imported, rule.imported+"/")) && !slices.Contains(rule.only, name) {
					t.Errorf("%q imports %q: %s", name, imported, rule.reason)
				}
			}
		}
	}
}

// TestPolicyIsPure: the same request has the same verdict at any time and
// place.
func TestPolicyIsPure(t *testing.T) {
	for _, imported := range listPackages(t)["policy"].Imports {
		switch imported {
		case "context", "time", "os", "math/rand", "math/rand/v2", "sync", "sync/atomic":
			t.Errorf("policy imports %q", imported)
		}
	}
}

// TestStandardLibraryOnly holds packages to what they may be built with, all
// the way down.
func TestStandardLibraryOnly(t *testing.T) {
	packages := listPackages(t)
	for name, allowed := range map[string][]string{
		"aggregator/namespace": nil,
		"policy": {
			"gopkg.in/yaml.v3", module + "/upstream/jsonrpc",
			"cel.dev", "github.com/antlr4-go/antlr", "go.yaml.in/yaml", "golang.org/x/exp", "google.golang.org", // CEL
		},
		"upstream/jsonrpc":      nil,
		"upstream/schema":       {module + "/upstream/jsonrpc"},
		"upstream/upstreamtest": {module + "/upstream/jsonrpc", "github.com/gorilla/websocket"},
	} {
		for _, imported := range packages[name].Deps {
			host, _, _ := strings.Cut(imported, "/")
			within := func(path string) bool { return imported == path || strings.HasPrefix(imported, path+"/") }
			if strings.Contains(host, ".") && !slices.ContainsFunc(allowed, within) {
				t.Errorf("%q is built with %q, want the standard library and %q only", name, imported, allowed)
			}
		}
	}
}

// TestBinary: what the binary must not hold, however it came in.
func TestBinary(t *testing.T) {
	for _, imported := range listPackages(t)[""].Deps {
		switch imported {
		case "testing", "runtime/cgo", "github.com/mark3labs/mcp-go/server", "github.com/google/go-cmp/cmp":
			t.Errorf("weir is built with %q", imported)
		}
	}
}

type goPackage struct {
	ImportPath    string
	Imports, Deps []string
}

// listPackages returns the packages of this module by their paths below it, as
// they are built without cgo. The imports of tests are not in them.
func listPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-pgo=off", "-json=ImportPath,Imports,Deps", module+"/...")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string]goPackage{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages[strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")] = p
	}
}
