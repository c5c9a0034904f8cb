package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNames: nobody who downloads by name finds another one.
func TestNames(t *testing.T) {
	var got []string
	for _, p := range allPlatforms {
		got = append(got, p.archive("0.1.0"))
	}
	want := []string{
		"weir_0.1.0_darwin_amd64.tar.gz", "weir_0.1.0_darwin_arm64.tar.gz", "weir_0.1.0_linux_amd64.tar.gz",
		"weir_0.1.0_linux_arm64.tar.gz", "weir_0.1.0_windows_amd64.zip", "weir_0.1.0_windows_arm64.zip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestArchives: what goes in comes out, in order, and the same bytes come of it in
// whatever order it went in.
func TestArchives(t *testing.T) {
	entries := []entry{
		{"weir_1/weir", executable, bytes.Repeat([]byte("program"), 1_000)},
		{"weir_1/README.md", plain, []byte("# weir")},
		{"weir_1/man/weir.1", plain, []byte(".TH")},
	}
	want := []entry{entries[1], entries[2], entries[0]}
	for _, p := range []platform{{"linux", "amd64"}, {"windows", "amd64"}} {
		packed, err := p.pack(entries, testTime)
		if err != nil {
			t.Fatal(err)
		}
		other, err := p.pack([]entry{entries[2], entries[0], entries[1]}, testTime)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(packed, other) {
			t.Errorf("%s: the order goes into the archive", p)
		}
		got, err := p.unpack(packed, testTime)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); diff != "" {
			t.Errorf("%s: -want +got:\n%s", p, diff)
		}
		if _, err := p.unpack(packed, testTime.AddDate(0, 0, 1)); err == nil {
			t.Errorf("%s: another time is not seen", p)
		}
	}
}
