package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A file of a release.
type file struct {
	name string
	data []byte
}

// write writes all files of the release into a folder, their sums last.
func (r *release) write(out string) error {
	files, err := r.files()
	if err != nil {
		return err
	}
	for _, f := range append(files, file{sumsName, sums(files)}) {
		if err := os.WriteFile(filepath.Join(out, f.name), f.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files are those of the release, but for their sums.
func (r *release) files() (files []file, err error) {
	for _, b := range r.binaries {
		entries, err := r.archive(b)
		if err != nil {
			return nil, err
		}
		data, err := b.pack(entries, r.time)
		if err != nil {
			return nil, err
		}
		files = append(files, file{b.platform.archive(r.version), data})
	}
	entries, err := bundle(r)
	if err != nil {
		return nil, err
	}
	packed, err := zipped(entries, r.time)
	if err != nil {
		return nil, err
	}
	materials, err := newBill(r)
	if err != nil {
		return nil, err
	}
	bill, err := indented(materials)
	if err != nil {
		return nil, err
	}
	registration, err := indented(newRegistration(r.version, packed))
	if err != nil {
		return nil, err
	}
	return append(files, file{bundleName(r.version), packed}, file{billName(r.version), bill}, file{registryName, registration}), nil
}

// sums is what sha256sum -c reads.
func sums(files []file) []byte {
	var out strings.Builder
	for _, f := range slices.SortedFunc(slices.Values(files), func(a, b file) int { return cmp.Compare(a.name, b.name) }) {
		fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(f.data), f.name)
	}
	return []byte(out.String())
}
