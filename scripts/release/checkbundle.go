package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// checkBundle: hosts find what the manifest names, and each program is that of an
// archive.
func (r *release) checkBundle(path string) error {
	packed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	entries, err := unzipped(packed, r.time)
	if err != nil {
		return err
	}
	files := map[string]entry{}
	for _, e := range entries {
		files[e.name] = e
	}
	var m manifest
	if err := json.Unmarshal(files[manifestName].data, &m); err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	starts := []string{m.Server.EntryPoint, strings.TrimPrefix(m.Server.Config.Command, "${__dirname}/")}
	for _, o := range m.Server.Config.Overrides {
		starts = append(starts, strings.TrimPrefix(o.Command, "${__dirname}/"))
	}
	for _, name := range starts {
		if files[name].mode != executable {
			return fmt.Errorf("a host would start %s, which is no program in the bundle", name)
		}
	}
	for _, b := range r.binaries {
		if err := checkBundled(files, b); err != nil {
			return err
		}
	}
	return nil
}

func checkBundled(files map[string]entry, b *product) error {
	var program []byte
	switch {
	case b.os == "darwin":
		fat, there := files[darwinProgram]
		if !there {
			return nil // only one of the two was built
		}
		programs, err := parts(fat.data)
		if err != nil {
			return err
		}
		program = programs[b.platform]
	case b.os == "linux":
		program = files[linuxProgram(b.arch)].data
	case b.arch == windowsPlatform:
		program = files[windowsProgram].data
	default:
		return nil
	}
	if !bytes.Equal(program, b.data) {
		return fmt.Errorf("its program for %s is not that of the archive", b.platform)
	}
	return nil
}

func (r *release) checkRegistration(out string) error {
	var got registration
	text, err := os.ReadFile(filepath.Join(out, registryName))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return err
	}
	packed, err := os.ReadFile(filepath.Join(out, bundleName(r.version)))
	if err != nil {
		return err
	}
	if len(got.Packages) != 1 || got.Packages[0].SHA256 != fmt.Sprintf("%x", sha256.Sum256(packed)) {
		return errors.New("it has not the sum of the bundle")
	}
	return nil
}
