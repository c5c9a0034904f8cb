package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/policy"
)

func sumOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

const (
	laptopKey = "weir_laptop_0123456789"
	phoneKey  = "weir_phone_0123456789"
)

var twoKeys = `
servers:
  desk: {command: WEIR, args: [demo-server]}
  shelf: {command: WEIR, args: [demo-server], tags: [spare]}
policies: {all: {default: execute}, little: {default: read}}
keys:
  - {name: laptop, sha256: ` + sumOf(laptopKey) + `, policy: all}
  - {name: phone, sha256: ` + sumOf(phoneKey) + `, policy: little}
profiles: {spare: {servers: [tag:spare]}}
`

// TestWhoIsServed: the key comes from a file, a flag or a variable, the profile
// from a flag or a variable, and a flag goes before.
func TestWhoIsServed(t *testing.T) {
	newHome(t)
	configuration := writeConfig(t, twoKeys)
	folder := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := put("laptop", " \n"+laptopKey+"\r\n\n", 0o600)
	given := func(text string) optional { return optional{text, true} }
	for _, tt := range []struct {
		name    string
		flags   identityFlags
		environ []string
		who     policy.Principal
		warning string // a part of the first one; "" for none
		err     string // likewise
	}{
		{"a file", identityFlags{keyFile: given(file)}, nil, policy.Principal{Key: "laptop"}, "", ""},
		{"a flag", identityFlags{key: given(phoneKey)}, nil, policy.Principal{Key: "phone"}, "", ""},
		{"a variable", identityFlags{}, []string{"WEIR_KEY=" + phoneKey}, policy.Principal{Key: "phone"}, "", ""},
		{"a file before a variable", identityFlags{keyFile: given(file)}, []string{"WEIR_KEY=" + phoneKey}, policy.Principal{Key: "laptop"}, "", ""},
		{"a flag before a variable", identityFlags{key: given(laptopKey)}, []string{"WEIR_KEY=" + phoneKey}, policy.Principal{Key: "laptop"}, "", ""},
		{"an empty variable", identityFlags{}, []string{"WEIR_KEY=", "WEIR_PROFILE="}, policy.Principal{}, "everything is denied: no key is given", ""},
		{"a variable that nobody filled in", identityFlags{}, []string{"WEIR_KEY=${user_config.key}", "WEIR_PROFILE=${user_config.profile}"}, policy.Principal{}, "everything is denied: no key is given", ""},
		{"an empty flag", identityFlags{key: given("")}, []string{"WEIR_KEY=" + phoneKey}, policy.Principal{}, "the key has fewer than 20 characters", ""},
		{"an empty file", identityFlags{keyFile: given(put("empty", "\n", 0o600))}, nil, policy.Principal{}, "the key has fewer than 20 characters", ""},
		{"white space in a flag", identityFlags{key: given(" " + laptopKey)}, nil, policy.Principal{}, "everything is denied: the key is not among", ""},
		{"an open file", identityFlags{keyFile: given(put("open", laptopKey, 0o644))}, nil, policy.Principal{Key: "laptop"}, "the key file can be read or written by others (mode 0644): chmod 600 it", ""},
		{"a large file", identityFlags{keyFile: given(put("large", strings.Repeat("x", maxKeyFile+1), 0o600))}, nil, policy.Principal{}, "", "reading the key file: it is larger than 4096 bytes"},
		{"both", identityFlags{keyFile: given(file), key: given(laptopKey)}, nil, policy.Principal{}, "", "one of them is enough"},
		{"a profile", identityFlags{key: given(laptopKey), profile: given("spare")}, []string{"WEIR_PROFILE=x"}, policy.Principal{Key: "laptop", Profile: "spare"}, "", ""},
		{"a profile by variable", identityFlags{key: given(laptopKey)}, []string{"WEIR_PROFILE=spare"}, policy.Principal{Key: "laptop", Profile: "spare"}, "", ""},
		{"no such profile", identityFlags{key: given(laptopKey)}, []string{"WEIR_PROFILE=spar"}, policy.Principal{}, "", `there is no profile "spar" (did you mean "spare"?)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(tt.warning, "chmod") {
				t.Skip("no such modes")
			}
			a := &app{Process: Process{Environ: tt.environ}, configFlag: configuration, identity: tt.flags}
			f, err := a.load()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Principal != tt.who {
				t.Errorf("got %+v, want %+v", f.Principal, tt.who)
			}
			if len(f.Warnings) == 0 && tt.warning != "" || len(f.Warnings) > 0 && (tt.warning == "" || !strings.Contains(f.Warnings[0], tt.warning)) {
				t.Errorf("got warnings %q, want %q", f.Warnings, tt.warning)
			}
		})
	}
}

// TestNoKeyFile: nothing is served by guess, and nobody is told where the file was
// to be, nor that the configuration is what is missing.
func TestNoKeyFile(t *testing.T) {
	newHome(t)
	got := weir(t, "tools", "--config", writeConfig(t, twoKeys), "--key-file", filepath.Join(t.TempDir(), "nowhere"))
	got.wants(t, exitFailed, "reading the key file: ")
	if all := got.stdout + got.stderr; strings.Contains(all, "nowhere") || strings.Contains(all, "--config") {
		t.Errorf("got %s", all)
	}
}

// TestBlanks: a bundle's flags are there, whether the user has filled them in or not.
func TestBlanks(t *testing.T) {
	newHome(t)
	configuration := writeConfig(t, twoKeys)
	for _, args := range [][]string{
		{"--config=" + configuration, "--profile="},
		{"--config=" + configuration, "--profile=${user_config.profile}"},
		{"--config=" + configuration, "--profile=${user_config.profile}", "--key-file=${user_config.key_file}"},
	} {
		weir(t, append([]string{"tools", "--key", laptopKey}, args...)...).wants(t, exitOK, "desk__echo", "shelf__echo")
	}
	for _, args := range [][]string{{"--config="}, {"--config=${user_config.config}"}} {
		weir(t, append([]string{"tools"}, args...)...).wants(t, exitOK, "No servers are configured")
	}
	weir(t, "tools", "--config=${user_config").wants(t, exitFailed, "no such file")
	weir(t, "tools", "--config="+configuration, "--key-file=").wants(t, exitFailed, "reading the key file: ")
}

// TestKeysDecide: what each key's host is offered.
func TestKeysDecide(t *testing.T) {
	newHome(t)
	configuration := writeConfig(t, twoKeys)
	weir(t, "tools", "--config", configuration, "--key", laptopKey).wants(t, exitOK, "desk__echo", "shelf__echo")
	weir(t, "call", "--config", configuration, "--key", laptopKey, "desk__echo", "text=hello").wants(t, exitOK, "hello")
	weir(t, "call", "--config", configuration, "--key", phoneKey, "desk__echo", "text=hello").wants(t, exitFailed, "may be seen but not called")
	only := weir(t, "tools", "--config", configuration, "--key", laptopKey, "--profile", "spare")
	only.wants(t, exitOK, "shelf__echo")
	unknown := weir(t, "tools", "--config", configuration, "--key", "x")
	unknown.wants(t, exitOK, "the key is not among the keys")
	for _, o := range []outcome{only, unknown} {
		if strings.Contains(o.stdout, "desk__") {
			t.Errorf("got %s", o.stdout)
		}
	}
}

// TestPolicyKey: what is printed goes into the configuration as it is.
func TestPolicyKey(t *testing.T) {
	home := newHome(t)
	got := weir(t, "policy", "key", `my "laptop"`)
	got.wants(t, exitOK, "it is not shown again", `- {name: "my \"laptop\"", sha256: "`)
	key := fieldWith(got.stdout, keyPrefix)
	if len(key) != len(keyPrefix)+43 || !strings.Contains(got.stdout, sumOf(key)) {
		t.Errorf("got key %q in %s", key, got.stdout)
	}
	if again := fieldWith(weir(t, "policy", "key", "x").stdout, keyPrefix); again == key || again == "" {
		t.Errorf("got %q twice", again)
	}
	line := got.stdout[strings.Index(got.stdout, "- {name"):]
	configuration := writeConfig(t, "servers: {desk: {command: WEIR, args: [demo-server]}}\npolicy: {default: execute}\nkeys:\n  "+line)
	weir(t, "policy", "explain", "--config", configuration, "--key", key, "desk__echo").wants(t, exitOK, "execute")

	path := filepath.Join(home, "key")
	kept := weir(t, "policy", "key", "laptop", "--file", path)
	kept.wants(t, exitOK, path)
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(kept.stdout, strings.TrimSpace(string(text))) || !strings.Contains(kept.stdout, sumOf(strings.TrimSpace(string(text)))) {
		t.Errorf("got %q, %v in the file, and printed %s", text, err, kept.stdout)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file that nobody else can read", info.Mode(), err)
	}
	weir(t, "policy", "key", "laptop", "--file", path).wants(t, exitFailed, "is there already")
	weir(t, "policy", "key", "laptop", "--json").wants(t, exitOK, `"name": "laptop"`, `"key": "weir_`)
	weir(t, "policy", "key").wants(t, exitUsage, "missing NAME")
	weir(t, "policy", "kye", "x").wants(t, exitUsage, `did you mean "weir policy key"?`)
}

// fieldWith returns the first word of a text that begins so; "" if none does.
func fieldWith(text, prefix string) string {
	words := strings.Fields(text)
	if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, prefix) }); i >= 0 {
		return words[i]
	}
	return ""
}
