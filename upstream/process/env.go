package process

import (
	"maps"
	"runtime"
	"slices"
	"strings"
)

// tokenVariable carries a [Guardian]'s token in the environment of every child.
const tokenVariable = "WEIR_CHILD"

// ownPrefix begins the names that configure weir itself and are never
// inherited, however the child is configured: keys and paths are among them.
const ownPrefix = "WEIR_"

// An EnvSpec says what a child finds in its environment. Where a variable has
// several sources, the later field wins.
type EnvSpec struct {
	Own        []string          // weir's own environment, as from os.Environ
	Inherit    []string          // variables of Own to pass beyond the usual ones
	InheritAll bool              // pass all of Own, but for weir's own variables
	Set        map[string]string // as configured for this child
	Weir       map[string]string // what weir tells its children about itself
}

// Environment returns the environment of a child as "NAME=value" in the order
// of the names: of weir's own what programs commonly need (paths, user,
// locale, proxies, the desktop session), and what spec adds.
func Environment(spec EnvSpec) []string {
	if runtime.GOOS == "windows" {
		return environment(spec, strings.ToUpper)
	}
	return environment(spec, exactly)
}

func exactly(name string) string { return name }

// environment takes names that canonical maps to the same as the same.
func environment(spec EnvSpec, canonical func(string) string) []string {
	inherited := make(map[string]bool)
	for _, name := range slices.Concat(usual, spec.Inherit) {
		inherited[canonical(name)] = true
	}
	entries := make(map[string]string)
	for _, entry := range slices.Backward(spec.Own) { // the first of its name counts
		name, _, ok := strings.Cut(entry, "=")
		if !ok || name == "" || strings.HasPrefix(canonical(name), ownPrefix) {
			continue
		}
		key := canonical(name)
		if spec.InheritAll || inherited[key] || strings.HasPrefix(key, "LC_") {
			entries[key] = entry
		}
	}
	for _, set := range []map[string]string{spec.Set, spec.Weir} {
		for name, value := range set {
			entries[canonical(name)] = name + "=" + value
		}
	}
	env := make([]string, 0, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		env = append(env, entries[key])
	}
	return env
}

// usual are the variables that every child inherits, with LC_*.
var usual = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM",
	"LANG", "LANGUAGE",
	"TMPDIR", "TEMP", "TMP",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "all_proxy", "no_proxy",
	"DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
	"SSH_AUTH_SOCK", "DOCKER_HOST", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS",

	// Without these, programs on Windows do not start or do not find their files.
	"SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT", "OS",
	"APPDATA", "LOCALAPPDATA", "ProgramData", "ALLUSERSPROFILE", "PUBLIC",
	"ProgramFiles", "ProgramFiles(x86)", "ProgramW6432",
	"CommonProgramFiles", "CommonProgramFiles(x86)", "CommonProgramW6432",
	"USERPROFILE", "USERNAME", "USERDOMAIN", "HOMEDRIVE", "HOMEPATH", "COMPUTERNAME",
	"NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "PROCESSOR_IDENTIFIER",
}

// withoutOwn returns a copy of env without weir's own variables.
func withoutOwn(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool { return strings.HasPrefix(entry, ownPrefix) })
}

// lookup returns the value of a variable in env, "" without one.
func lookup(env []string, name string) string {
	if i := position(env, name); i >= 0 {
		return env[i][len(name)+1:]
	}
	return ""
}

// replace returns a copy of env in which name has the given value.
func replace(env []string, name, value string) []string {
	env = slices.Clone(env)
	if i := position(env, name); i >= 0 {
		env[i] = env[i][:len(name)+1] + value
		return env
	}
	return append(env, name+"="+value)
}

func position(env []string, name string) int {
	return slices.IndexFunc(env, func(entry string) bool {
		own, _, ok := strings.Cut(entry, "=")
		return ok && (own == name || runtime.GOOS == "windows" && strings.EqualFold(own, name))
	})
}
