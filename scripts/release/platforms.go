package main

// A platform is what a binary runs on, in Go's words.
type platform struct{ os, arch string }

// allPlatforms are those that weir is released for.
var allPlatforms = []platform{
	{"darwin", "amd64"},
	{"darwin", "arm64"},
	{"linux", "amd64"},
	{"linux", "arm64"},
	{"windows", "amd64"},
	{"windows", "arm64"},
}

func (p platform) String() string { return p.os + "_" + p.arch }

// program is what the binary is called.
func (p platform) program() string {
	if p.os == "windows" {
		return "weir.exe"
	}
	return "weir"
}

// folder is the one folder of an archive, and what the archive is called but for its
// ending.
func (p platform) folder(version string) string { return "weir_" + version + "_" + p.String() }

func (p platform) archive(version string) string {
	if p.os == "windows" {
		return p.folder(version) + ".zip"
	}
	return p.folder(version) + ".tar.gz"
}

// The other files of a release.
const (
	sumsName     = "SHA256SUMS"
	registryName = "server.json"
)

func bundleName(version string) string { return "weir_" + version + ".mcpb" }
func billName(version string) string   { return "weir_" + version + ".cdx.json" }
