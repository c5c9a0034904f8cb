package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// TestSums: a file with other bytes, one that is missing and one too many are seen.
func TestSums(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, out string)
		want  string
	}{
		{"whole", func(*testing.T, string) {}, ""},
		{"other bytes", func(t *testing.T, out string) { write(t, filepath.Join(out, "b"), "B") }, "b has another sum"},
		{"one too many", func(t *testing.T, out string) { write(t, filepath.Join(out, "c"), "c") }, `there are the files ["SHA256SUMS" "a" "b" "c"]`},
		{"one less", func(t *testing.T, out string) { _ = os.Remove(filepath.Join(out, "a")) }, "no such file"},
		{"no sums", func(t *testing.T, out string) { _ = os.Remove(filepath.Join(out, sumsName)) }, "no such file"},
	} {
		out := t.TempDir()
		files := []file{{"b", []byte("b")}, {"a", []byte("a")}}
		for _, f := range append(files, file{sumsName, sums(files)}) {
			write(t, filepath.Join(out, f.name), string(f.data))
		}
		tt.spoil(t, out)
		if err := checkSums(out); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestCheckBinary: a binary that is not what its archive says is not published. The
// test's own stands for one.
func TestCheckBinary(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	r := fakeRelease(t)
	if err := r.checkBinary(data, here, nil); err == nil || !strings.Contains(err.Error(), "it is ") {
		t.Errorf("got %v for a test's binary", err)
	}
	if err := r.checkBinary([]byte("#!/bin/sh\n"), here, nil); err == nil {
		t.Errorf("a script is taken for a binary")
	}
	mark := releaseMark(testVersion)
	for data, want := range map[string]string{
		mark + " /usr/x":                      "",
		releaseMark("0.9.0"):                  "it does not know that it is released as " + testVersion,
		mark + strings.Repeat("x", maxBinary): "it has 30.0 MB, more than 30 MB",
		mark + "/home/me/source/main.go":      "it has the path /home/me/source of this machine in it",
	} {
		err := checkBytes([]byte(data), testVersion, []string{"/home/me/source", "/nowhere"})
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%.40q: got %v, want %q", data, err, want)
		}
	}
	good := func() []debug.BuildSetting {
		var settings []debug.BuildSetting
		for key, value := range r.wantedSettings(platform{"linux", "arm64"}) {
			settings = append(settings, debug.BuildSetting{Key: key, Value: value})
		}
		return append(settings, debug.BuildSetting{Key: "vcs.time", Value: "2026-11-23T12:00:00Z"})
	}
	set := func(key, value string) []debug.BuildSetting {
		settings := slices.DeleteFunc(good(), func(s debug.BuildSetting) bool { return s.Key == key })
		if value == "" {
			return settings
		}
		return append(settings, debug.BuildSetting{Key: key, Value: value})
	}
	for _, tt := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{good(), ""},
		{set("GOARCH", "amd64"), "it is built with GOARCH=amd64, want arm64"},
		{set("GOOS", "darwin"), "it is built with GOOS=darwin, want linux"},
		{set("vcs.modified", "true"), "it is built with vcs.modified=true, want false"},
		{set("vcs.revision", "x"), "it is built with vcs.revision=x"},
		{set("-trimpath", ""), "it is not built with -trimpath=true"},
		{set("-pgo", ""), "it is not built with -pgo=default.pgo"},
		{set("GOEXPERIMENT", "x"), "it is built with GOEXPERIMENT=x, which others do not have: unset it"},
	} {
		err := checkSettings(tt.settings, r.wantedSettings(platform{"linux", "arm64"}))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}
