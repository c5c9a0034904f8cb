package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// A module is one that is linked into a binary, with the conditions under which it is.
type module struct {
	path, version string
	sum           string   // as in go.sum; "" for the standard library
	licence       string   // its SPDX id; "" where that is not sure
	notices       []notice // by name
}

// A notice is a file of a module that goes where the module goes.
type notice struct{ name, text string }

// standardLibrary is what the Go project calls it where a module's path is wanted.
const standardLibrary = "std"

// A moduleKey is a module, as binaries name it.
type moduleKey struct{ path, version string }

// linked are the modules in a binary, the standard library among them.
func (b *product) linked() ([]moduleKey, error) {
	keys := []moduleKey{{standardLibrary, strings.TrimPrefix(b.info.GoVersion, "go")}}
	for _, m := range b.info.Deps {
		if m.Replace != nil {
			return nil, fmt.Errorf("the module %s is replaced: a release is made of what others can get", m.Path)
		}
		keys = append(keys, moduleKey{m.Path, m.Version})
	}
	return keys, nil
}

// readModules reads what is to be known of all modules in the binaries.
func readModules(ctx context.Context, s *source, binaries []*product) (map[moduleKey]*module, error) {
	linked := map[string]*debug.Module{}
	found := map[moduleKey]*module{}
	for _, b := range binaries {
		keys, err := b.linked()
		if err != nil {
			return nil, err
		}
		found[keys[0]] = nil
		for _, m := range b.info.Deps {
			linked[m.Path] = m
		}
	}
	for key := range found {
		m, err := readStandardLibrary(ctx, key)
		if err != nil {
			return nil, err
		}
		found[key] = m
	}
	folders, err := moduleFolders(ctx, s, slices.Sorted(maps.Keys(linked)))
	if err != nil {
		return nil, err
	}
	for path, m := range linked {
		key := moduleKey{path, m.Version}
		folder, there := folders[key]
		if !there {
			return nil, fmt.Errorf("the module %s %s is in a binary, but not in the module cache: go mod download", path, m.Version)
		}
		module, err := readModule(key, folder)
		if err != nil {
			return nil, err
		}
		module.sum = m.Sum
		found[key] = module
	}
	return found, nil
}

// allModules are those that are in any binary.
func (r *release) allModules() []moduleKey {
	return slices.SortedFunc(maps.Keys(r.modules), func(a, b moduleKey) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.version, b.version))
	})
}

// moduleFolders says where modules lie in the module cache.
func moduleFolders(ctx context.Context, s *source, paths []string) (map[moduleKey]string, error) {
	folders := map[moduleKey]string{}
	if len(paths) == 0 {
		return folders, nil
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-m", "-json=Path,Version,Dir"}, paths...)...)
	cmd.Dir, cmd.Env = s.root, buildEnvironment(platform{"linux", "amd64"}) // whichever
	list, err := output(cmd)
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(strings.NewReader(list)); ; {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return folders, nil
		} else if err != nil {
			return nil, err
		}
		if m.Dir != "" {
			folders[moduleKey{m.Path, m.Version}] = m.Dir
		}
	}
}

func readStandardLibrary(ctx context.Context, key moduleKey) (*module, error) {
	root, err := output(exec.CommandContext(ctx, "go", "env", "GOROOT"))
	if err != nil {
		return nil, err
	}
	m := &module{path: key.path, version: key.version}
	for _, name := range []string{"LICENSE", "PATENTS"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, fmt.Errorf("reading the conditions of Go's standard library: %w", err)
		}
		m.notices = append(m.notices, notice{name, string(text)})
	}
	m.licence = licenceOf(m.notices)
	return m, nil
}

// noticeNames are those of licences, and of what licences want to be passed on.
var noticeNames = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice|patents)([.-][a-z0-9.-]*)?$`)

// readModule reads a module's notices, also those of code that it has taken in.
func readModule(key moduleKey, folder string) (*module, error) {
	m := &module{path: key.path, version: key.version}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || !noticeNames.MatchString(d.Name()) || strings.HasSuffix(d.Name(), ".go") {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		m.notices = append(m.notices, notice{name, string(text)})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(m.notices) == 0 {
		return nil, fmt.Errorf("the module %s %s has no licence: nobody may pass it on", key.path, key.version)
	}
	slices.SortFunc(m.notices, func(a, b notice) int { return strings.Compare(a.name, b.name) })
	m.licence = licenceOf(m.notices)
	return m, nil
}

// licenceOf returns the licence of notices if it is but one, and the whole text of
// it; else "".
func licenceOf(notices []notice) string {
	licence := ""
	for _, n := range notices {
		base := strings.ToUpper(n.name[strings.LastIndex(n.name, "/")+1:])
		if strings.HasPrefix(base, "NOTICE") || strings.HasPrefix(base, "PATENTS") {
			continue // they add to a licence
		}
		id := recognise(n.text)
		if id == "" || licence != "" && licence != id {
			return ""
		}
		licence = id
	}
	return licence
}

// thirdParty is the text that goes with these modules: all their conditions.
func thirdParty(keys []moduleKey, modules map[moduleKey]*module) []byte {
	var out strings.Builder
	out.WriteString("The program has the following in it, under these conditions.\n")
	for _, key := range keys {
		m := modules[key]
		for _, n := range m.notices {
			title := m.path + " " + m.version + ": " + n.name
			fmt.Fprintf(&out, "\n%[1]s\n%[2]s\n%[1]s\n\n%[3]s\n", strings.Repeat("=", 80), title, strings.TrimSpace(n.text))
		}
	}
	return []byte(out.String())
}
