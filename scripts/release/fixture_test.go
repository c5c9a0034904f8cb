package main

import (
	"debug/buildinfo"
	"debug/macho"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/internal/cli"
	"github.com/weir-mcp/weir/internal/prelude/first"
	"github.com/weir-mcp/weir/upstream/process"
)

// TestMain lets the test binary be weir, which is then in the bundle.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-test.") {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // with the race detector a program sleeps at its end
		os.Exit(m.Run())
	}
	if len(os.Args) == 2 && os.Args[1] == cli.GuardianCommand {
		process.GuardianMain()
		return
	}
	os.Exit(cli.Main(cli.Process{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Prelude: first.Take(),
	}))
}

const testVersion = "0.9.0-rc.1"

var (
	here     = platform{runtime.GOOS, runtime.GOARCH}
	testTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

// A small program stands for weir: building weir itself takes minutes.
var smallWeir = map[string]string{
	"go.mod": "module " + modulePath + "\n\ngo 1.26\n\nrequire github.com/yosida95/uritemplate/v3 v3.0.2\n",
	"main.go": `package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/yosida95/uritemplate/v3"

	"github.com/weir-mcp/weir/internal/cli"
)

func main() {
	switch os.Args[1] {
	case "version":
		info, _ := debug.ReadBuildInfo()
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				fmt.Printf("weir %s (%.12s)\n", strings.TrimPrefix(cli.Released(), "release v"), s.Value)
			}
		}
	case "demo":
		uritemplate.MustNew("{a}")
	case "completion":
		fmt.Println("# completion for", os.Args[2])
	}
}
`,
	"internal/cli/version.go": "package cli\n\nvar released string\n\nfunc Released() string { return released }\n",
	"LICENSE":                 "the licence\n",
	"README.md":               "# weir\n",
	"CHANGELOG.md":            "# Changelog\n",
	"mcp.yaml.example":        "servers: {}\n",
	"docs/man/weir.1":         ".TH weir 1\n",
	"docs/man/weir-config.7":  ".TH weir-config 7\n",
	".gitignore":              "/dist/\n",
}

// newSmallWeir makes a repository of the small program, with one commit.
func newSmallWeir(t *testing.T) (root string) {
	t.Helper()
	for _, program := range []string{"git", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	root = filepath.Join(t.TempDir(), "source")
	for name, text := range smallWeir {
		write(t, filepath.Join(root, name), text)
	}
	for name, from := range map[string]string{"go.sum": "../../go.sum", "default.pgo": "../../default.pgo"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, name), string(data))
	}
	commit(t, root)
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commit commits all that is in a folder, as nobody in particular.
func commit(t *testing.T, root string) {
	t.Helper()
	mustGit(t, root, "init", "-q")
	mustGit(t, root, "add", "-A")
	mustGit(t, root, "commit", "-q", "-m", "a commit")
}

func mustGit(t *testing.T, root string, args ...string) string {
	t.Helper()
	args = append([]string{"-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"}, args...)
	out, err := git(t.Context(), root, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// testJob releases the small program for this machine.
func testJob(t *testing.T, root, out string) *job {
	t.Helper()
	return &job{root: root, version: testVersion, out: out, targets: []platform{here}, atOnce: 1, progress: io.Discard}
}

// release makes one that must go well, and returns its files.
func (j *job) release(t *testing.T) map[string]string {
	t.Helper()
	if err := j.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	return filesOf(t, j.out)
}

// filesOf returns all files below a folder.
func filesOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		found[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// fakes are small files for all platforms, which say that they have modules in them.
func fakes() []*product {
	var all []*product
	for _, p := range allPlatforms {
		data := []byte("a program for " + p.String())
		switch p {
		case platform{"darwin", "amd64"}:
			data = machO(macho.CpuAmd64, "amd64")
		case platform{"darwin", "arm64"}:
			data = machO(macho.CpuArm64, "arm64")
		}
		info := &buildinfo.BuildInfo{GoVersion: "go1.26.8", Deps: []*debug.Module{
			{Path: "github.com/Example/One", Version: "v1.2.3+incompatible", Sum: "h1:one="},
		}}
		if p.os == "windows" {
			info.Deps = append(info.Deps, &debug.Module{Path: "example.com/windows", Version: "v0.1.0", Sum: "h1:windows="})
		}
		all = append(all, &product{platform: p, data: data, info: info})
	}
	return all
}

func fakeRelease(t *testing.T) *release {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text := []notice{{"LICENSE", "Do as you like."}}
	return &release{
		source:   &source{root: root, version: testVersion, commit: strings.Repeat("c", 40), time: testTime},
		binaries: fakes(),
		modules: map[moduleKey]*module{
			{"std", "1.26.8"}: {"std", "1.26.8", "", "BSD-3-Clause", text},
			{"github.com/Example/One", "v1.2.3+incompatible"}: {"github.com/Example/One", "v1.2.3+incompatible", "h1:one=", "MIT", text},
			{"example.com/windows", "v0.1.0"}:                 {"example.com/windows", "v0.1.0", "h1:windows=", "", text},
		},
		completions: []entry{{"completions/weir.bash", plain, []byte("#")}},
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
