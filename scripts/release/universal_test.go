package main

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machO is the least that is a program of macOS.
func machO(cpu macho.Cpu, text string) []byte {
	var out []byte
	for _, field := range []uint32{macho.Magic64, uint32(cpu), 0, uint32(macho.TypeExec), 0, 0, 0, 0} {
		out = binary.LittleEndian.AppendUint32(out, field)
	}
	return append(out, text...)
}

func TestUniversal(t *testing.T) {
	amd64, arm64 := machO(macho.CpuAmd64, strings.Repeat("x", 20_000)), machO(macho.CpuArm64, "y")
	fat, err := universal(amd64, arm64)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parts(fat)
	if err != nil {
		t.Fatal(err)
	}
	want := map[platform][]byte{{"darwin", "amd64"}: amd64, {"darwin", "arm64"}: arm64}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	f, err := macho.NewFatFile(bytes.NewReader(fat))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range f.Arches {
		if part.Offset%(1<<part.Align) != 0 || part.Align != 14 {
			t.Errorf("%s begins at %d, aligned to 2^%d", part.Cpu, part.Offset, part.Align)
		}
	}
}
