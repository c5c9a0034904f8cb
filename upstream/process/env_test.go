package process

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironment(t *testing.T) {
	own := []string{
		"PATH=/bin", "HOME=/home/u", "LC_TIME=de", "https_proxy=http://p", "SystemRoot=C:\\Windows",
		"SECRET=s", "NODE_OPTIONS=-x", "WEIR_KEY=k", "WEIR_CHILD=above", "=C:=C:\\", "junk", "PATH=/second",
	}
	tests := []struct {
		name string
		spec EnvSpec
		fold func(string) string
		want []string
	}{
		{"small", EnvSpec{Own: own}, exactly, []string{
			"HOME=/home/u", "LC_TIME=de", "PATH=/bin", "SystemRoot=C:\\Windows", "https_proxy=http://p",
		}},
		{"inherit some", EnvSpec{Own: []string{"A=1", "B=2", "WEIR_KEY=k"}, Inherit: []string{"A", "WEIR_KEY", "NONE"}}, exactly, []string{"A=1"}},
		{"inherit all", EnvSpec{Own: own, InheritAll: true}, exactly, []string{
			"HOME=/home/u", "LC_TIME=de", "NODE_OPTIONS=-x", "PATH=/bin", "SECRET=s", "SystemRoot=C:\\Windows", "https_proxy=http://p",
		}},
		{"set", EnvSpec{
			Own:  []string{"PATH=/bin", "HOME=/h"},
			Set:  map[string]string{"PATH": "/mine", "EMPTY": "", "EQUALS": "a=b", "WEIR_CHAIN": "forged"},
			Weir: map[string]string{"WEIR_CHAIN": "real"},
		}, exactly, []string{"EMPTY=", "EQUALS=a=b", "HOME=/h", "PATH=/mine", "WEIR_CHAIN=real"}},
		{"names without case", EnvSpec{
			Own: []string{"Path=C:\\bin", "systemroot=C:\\W", "weir_key=k", "Foo=1"},
			Set: map[string]string{"FOO": "2"}, InheritAll: true,
		}, strings.ToUpper, []string{"FOO=2", "Path=C:\\bin", "systemroot=C:\\W"}},
		{"names with case", EnvSpec{Own: []string{"Path=/x", "home=/y", "HTTP_PROXY=1", "http_proxy=2"}}, exactly, []string{"HTTP_PROXY=1", "http_proxy=2"}},
		{"nothing", EnvSpec{}, exactly, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, environment(tt.spec, tt.fold)); diff != "" {
				t.Errorf("environment (-want +got)\n%s", diff)
			}
		})
	}
}

// TestEnvironmentOnWindows: elsewhere children do not get what programs on Windows
// need, in whatever case it is written there.
func TestEnvironmentOnWindows(t *testing.T) {
	needed := []string{
		`ALLUSERSPROFILE=C:\ProgramData`, `APPDATA=C:\Users\u\AppData\Roaming`, `ComSpec=C:\Windows\system32\cmd.exe`,
		`HOMEDRIVE=C:`, `LOCALAPPDATA=C:\Users\u\AppData\Local`, `PATHEXT=.EXE;.CMD`, `Path=C:\Windows;C:\uv`,
		`ProgramData=C:\ProgramData`, `ProgramFiles(x86)=C:\Program Files (x86)`, `SYSTEMROOT=C:\Windows`,
		`TEMP=C:\Temp`, `USERPROFILE=C:\Users\u`, `windir=C:\Windows`,
	}
	own := append([]string{"SECRET=s", "WEIR_KEY=k"}, needed...)
	got := environment(EnvSpec{Own: own, Set: map[string]string{"TOKEN": "t"}}, strings.ToUpper)
	want := slices.Sorted(slices.Values(append(needed, "TOKEN=t")))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got)\n%s", diff)
	}
}

func TestReplace(t *testing.T) {
	env := []string{"A=1", "PATH=/bin"}
	got := replace(env, "PATH", "/usr/bin")
	if diff := cmp.Diff([]string{"A=1", "PATH=/usr/bin"}, got); diff != "" {
		t.Errorf("replaced (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A=1", "PATH=/bin", "B=2"}, replace(env, "B", "2")); diff != "" {
		t.Errorf("added (-want +got)\n%s", diff)
	}
	if got := lookup(env, "PATH"); got != "/bin" {
		t.Errorf("got PATH %q, want the one before", got)
	}
}
