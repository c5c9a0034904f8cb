package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A release is all that its files are made of.
type release struct {
	*source
	binaries    []*product
	modules     map[moduleKey]*module
	completions []entry
}

const thirdPartyName = "THIRD_PARTY_LICENSES"

// documents are the files of the source that go into each archive.
var documents = []string{"LICENSE", "README.md", "CHANGELOG.md", "mcp.yaml.example"}

// completionNames are what the shells' folders of completions want them called.
var completionNames = map[string]string{"bash": "weir.bash", "zsh": "_weir", "fish": "weir.fish", "powershell": "weir.ps1"}

// gather adds what the binaries have in them, and what they say.
func (r *release) gather(ctx context.Context, work string) (err error) {
	if r.modules, err = readModules(ctx, r.source, r.binaries); err != nil {
		return err
	}
	here, err := own(r.binaries)
	if err != nil {
		return err
	}
	for _, shell := range slices.Sorted(maps.Keys(completionNames)) {
		text, err := run(ctx, here.path, work, "completion", shell)
		if err != nil {
			return err
		}
		r.completions = append(r.completions, entry{"completions/" + completionNames[shell], plain, []byte(text + "\n")})
	}
	return nil
}

// archive returns the files of a binary's archive.
func (r *release) archive(b *product) ([]entry, error) {
	keys, err := b.linked()
	if err != nil {
		return nil, err
	}
	entries := []entry{{b.program(), executable, b.data}, {thirdPartyName, plain, thirdParty(keys, r.modules)}}
	for _, name := range documents {
		text, err := r.read(name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name, plain, text})
	}
	pages, err := r.manual()
	if err != nil {
		return nil, err
	}
	entries = append(append(entries, pages...), r.completions...)
	for i := range entries {
		entries[i].name = b.folder(r.version) + "/" + entries[i].name
	}
	return entries, nil
}

// manual are the pages for man.
func (r *release) manual() (pages []entry, err error) {
	const folder = "docs/man"
	files, err := os.ReadDir(filepath.Join(r.root, filepath.FromSlash(folder)))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := r.read(folder + "/" + file.Name())
		if err != nil {
			return nil, err
		}
		pages = append(pages, entry{"man/" + file.Name(), plain, text})
	}
	return pages, nil
}

// indented writes JSON for people as well.
func indented(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return out.Bytes(), nil
}
