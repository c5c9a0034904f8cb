package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
)

// maxBinary is what weir may weigh, in bytes.
const maxBinary = 30_000_000

// checkBinary holds what a binary says of itself against what it is to be.
func (r *release) checkBinary(data []byte, p platform, paths []string) error {
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if err := checkSettings(info.Settings, r.wantedSettings(p)); err != nil {
		return err
	}
	if info.Path != modulePath {
		return fmt.Errorf("it is the program %q, want %q", info.Path, modulePath)
	}
	return checkBytes(data, r.version, paths)
}

// checkBytes: a binary knows its version, is not too large, and tells no paths.
func checkBytes(data []byte, version string, paths []string) error {
	if !bytes.Contains(data, []byte(releaseMark(version))) {
		return fmt.Errorf("it does not know that it is released as %s", version)
	}
	if len(data) > maxBinary {
		return fmt.Errorf("it has %.1f MB, more than %d MB", float64(len(data))/1e6, maxBinary/1_000_000)
	}
	for _, path := range paths {
		if bytes.Contains(data, []byte(path)) {
			return fmt.Errorf("it has the path %s of this machine in it", path)
		}
	}
	return nil
}

// wantedSettings are all that a binary is built with.
func (r *release) wantedSettings(p platform) map[string]string {
	want := map[string]string{
		"-buildmode": "exe", "-compiler": "gc", "-pgo": "default.pgo", "-trimpath": "true", "CGO_ENABLED": "0",
		"GOOS": p.os, "GOARCH": p.arch, "vcs": "git", "vcs.revision": r.commit, "vcs.modified": "false",
	}
	switch p.arch {
	case "amd64":
		want["GOAMD64"] = "v1"
	case "arm64":
		want["GOARM64"] = "v8.0"
	}
	return want
}

func checkSettings(settings []debug.BuildSetting, want map[string]string) error {
	for _, s := range settings {
		switch value, known := want[s.Key]; {
		case s.Key == "vcs.time" || s.Key == "DefaultGODEBUG":
			continue // of the commit and its go.mod
		case !known:
			return fmt.Errorf("it is built with %s=%s, which others do not have: unset it", s.Key, s.Value)
		case value != s.Value:
			return fmt.Errorf("it is built with %s=%s, want %s", s.Key, s.Value, value)
		}
		delete(want, s.Key)
	}
	for name, value := range want {
		return fmt.Errorf("it is not built with %s=%s", name, value)
	}
	return nil
}
