package main

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
)

// sliceAlignment is a power of two: the pages of Apple's processors, which code
// signatures go by.
const sliceAlignment = 14

// universal makes one program of those for the two processors of macOS, which takes
// its own out of it: a header in network order, then each program at a page of its
// own. Signatures are within the programs and stay good.
func universal(amd64, arm64 []byte) ([]byte, error) {
	const page = 1 << sliceAlignment
	programs := []struct {
		cpu     macho.Cpu
		subtype uint32
		data    []byte
	}{
		{macho.CpuAmd64, 3, amd64}, // all of x86-64
		{macho.CpuArm64, 0, arm64}, // all of ARM64
	}
	out := binary.BigEndian.AppendUint32(nil, macho.MagicFat)
	out = binary.BigEndian.AppendUint32(out, uint32(len(programs)))
	end := page
	for _, p := range programs {
		for _, field := range []uint32{uint32(p.cpu), p.subtype, uint32(end), uint32(len(p.data)), sliceAlignment} {
			out = binary.BigEndian.AppendUint32(out, field)
		}
		end += (len(p.data) + page - 1) / page * page
	}
	if end > 1<<32-1 {
		return nil, errors.New("programs of over 4 GB do not fit into a universal one")
	}
	for _, p := range programs {
		padding := (page - len(out)%page) % page
		out = append(append(out, make([]byte, padding)...), p.data...)
	}
	return out, nil
}

// parts returns the programs in a universal one.
func parts(fat []byte) (map[platform][]byte, error) {
	f, err := macho.NewFatFile(bytes.NewReader(fat))
	if err != nil {
		return nil, err
	}
	names := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}
	found := map[platform][]byte{}
	for _, part := range f.Arches {
		found[platform{"darwin", names[part.Cpu]}] = fat[part.Offset : part.Offset+part.Size]
	}
	return found, nil
}
