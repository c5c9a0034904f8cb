package main

import "fmt"

// The bundle is for all platforms at once, as whoever installs it by one click knows
// the system, but not the processor, and manifests choose by the system alone: macOS
// gets a universal program, Windows that for amd64, which its ARM machines run as
// well, and Linux a script that chooses.

// nodeSystems are the systems that manifests know, by their names and Go's.
var nodeSystems = []struct{ node, go_ string }{{"darwin", "darwin"}, {"linux", "linux"}, {"win32", "windows"}}

const (
	manifestName = "manifest.json"
	iconName     = "icon.png"

	// launcherName is also what a host starts that knows of no overrides, on Windows
	// with ".exe" behind it.
	launcherName    = "server/weir"
	darwinProgram   = "server/weir-darwin"
	windowsProgram  = "server/weir.exe"
	windowsPlatform = "amd64"
)

func linuxProgram(arch string) string { return "server/weir-linux-" + arch }

// launcher becomes the program for this machine: host and weir see one process.
const launcher = `#!/bin/sh
# Starts the weir of this bundle that runs on this machine.
here=$(dirname "$0")
case "$(uname -s)/$(uname -m)" in
Darwin/*) program=weir-darwin ;;
Linux/x86_64 | Linux/amd64) program=weir-linux-amd64 ;;
Linux/aarch64 | Linux/arm64) program=weir-linux-arm64 ;;
*)
	echo "weir: this bundle has no program for $(uname -s) on $(uname -m)" >&2
	exit 1
	;;
esac
exec "$here/$program" "$@"
`

// bundle returns the files of the bundle.
func bundle(r *release) ([]entry, error) {
	built := map[platform][]byte{}
	for _, b := range r.binaries {
		built[b.platform] = b.data
	}
	entries, programs, err := programsOf(built)
	if err != nil {
		return nil, err
	}
	description, err := indented(newManifest(r.version, programs))
	if err != nil {
		return nil, err
	}
	licence, err := r.read("LICENSE")
	if err != nil {
		return nil, err
	}
	picture, err := icon()
	if err != nil {
		return nil, err
	}
	return append(entries,
		entry{manifestName, plain, description},
		entry{iconName, plain, picture},
		entry{"LICENSE", plain, licence},
		entry{thirdPartyName, plain, thirdParty(r.allModules(), r.modules)},
	), nil
}

// programsOf are the programs in the bundle, and which of them a host starts on which
// system.
func programsOf(built map[platform][]byte) (entries []entry, programs map[string]string, err error) {
	programs = map[string]string{}
	add := func(node, start, name string, data []byte) {
		entries = append(entries, entry{name, executable, data})
		programs[node] = start
	}
	amd64, arm64 := built[platform{"darwin", "amd64"}], built[platform{"darwin", "arm64"}]
	if amd64 != nil && arm64 != nil {
		both, err := universal(amd64, arm64)
		if err != nil {
			return nil, nil, err
		}
		add("darwin", darwinProgram, darwinProgram, both)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if data := built[platform{"linux", arch}]; data != nil {
			add("linux", launcherName, linuxProgram(arch), data)
		}
	}
	if data := built[platform{"windows", windowsPlatform}]; data != nil {
		add("win32", windowsProgram, windowsProgram, data)
	}
	if len(entries) == 0 {
		return nil, nil, fmt.Errorf("no binary for a bundle: its systems are darwin (both processors), linux and windows (%s)", windowsPlatform)
	}
	return append(entries, entry{launcherName, executable, []byte(launcher)}), programs, nil
}
