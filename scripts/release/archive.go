package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// An entry is a file of an archive.
type entry struct {
	name string // with slashes
	mode fs.FileMode
	data []byte
}

// The modes of all entries.
const (
	plain      fs.FileMode = 0o644
	executable fs.FileMode = 0o755
)

// sorted puts entries into the order that they are written in.
func sorted(entries []entry) []entry {
	return slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return cmp.Compare(a.name, b.name) })
}

// tarGz makes an archive that has nothing of this machine in it: nobody's files, of
// one time.
func tarGz(entries []entry, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	packed, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(packed)
	for _, e := range sorted(entries) {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: int64(e.mode), Size: int64(len(e.data)), ModTime: at, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// zipped is the same as a zip. The modes are in it, for those who unpack it on Unix.
func zipped(entries []entry, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) { return flate.NewWriter(to, flate.BestCompression) })
	for _, e := range sorted(entries) {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: at}
		header.SetMode(e.mode)
		file, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// pack makes the archive that is usual on a platform.
func (p platform) pack(entries []entry, at time.Time) ([]byte, error) {
	if p.os == "windows" {
		return zipped(entries, at)
	}
	return tarGz(entries, at)
}

// unpack reads an archive of pack.
func (p platform) unpack(data []byte, at time.Time) ([]entry, error) {
	if p.os == "windows" {
		return unzipped(data, at)
	}
	return untarred(data, at)
}

func untarred(data []byte, at time.Time) (entries []entry, err error) {
	packed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(packed); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg || header.Uid != 0 || header.Gid != 0 || header.Uname != "" || header.Gname != "" || !header.ModTime.Equal(at) {
			return nil, fmt.Errorf("%s is not nobody's file of %s: %+v", header.Name, at, header)
		}
		entries = append(entries, entry{header.Name, fs.FileMode(header.Mode), data})
	}
}

func unzipped(data []byte, at time.Time) (entries []entry, err error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	for _, file := range r.File {
		f, err := file.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		if !file.Modified.Equal(at) {
			return nil, fmt.Errorf("%s is of %s, want %s", file.Name, file.Modified, at)
		}
		entries = append(entries, entry{file.Name, file.Mode(), data})
	}
	return entries, nil
}
