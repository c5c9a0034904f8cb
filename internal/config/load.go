package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/upstream/auth/keyring"
)

// maxFileSize bounds a configuration, in bytes.
const maxFileSize = 4 << 20

// Options are what a process says of itself.
type Options struct {
	Path    string // of the configuration; "" to find it
	Key     []byte // of who is served; nil for none
	Profile string // "" for none

	Keyring keyring.Ring // for ${keyring:…}; nil is the system's

	// Sources takes note of what is read, also where Load fails; nil for nobody.
	Sources *Sources
}

// Load finds the configuration, reads it and makes it ready for use. It is, in
// this order: o.Path (from the command line), $WEIR_CONFIG, and weir/mcp.yaml in
// the user's configuration folder; never a file that merely lies in the working
// folder. That there is none is no error. The error lists all that is wrong,
// one line each, as FILE:LINE: what.
//
// A key that is not known, or that no policy is for, is no error: then the policy
// denies everything, and a warning says why.
func Load(o Options) (*File, error) {
	path, demanded := find(o.Path)
	o.Path = path
	if path == "" {
		return nothing(o, "")
	}
	data, err := readFile(path, maxFileSize)
	o.Sources.Note(path, maxFileSize, data, err)
	if errors.Is(err, fs.ErrNotExist) && !demanded {
		o.Path = ""
		return nothing(o, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return parse(o, data)
}

// nothing is the File where there is no file; want is where one would be.
func nothing(o Options, want string) (*File, error) {
	if o.Profile != "" {
		return nil, fmt.Errorf("there is no profile %q: there is no configuration", o.Profile)
	}
	f, err := build(o, &document{}, &decoder{})
	if err == nil {
		f.Want = want
	}
	return f, err
}

// Where is the file that Load would read for this path, absolute; "" if no place
// is known. It need not be there.
func Where(path string) string {
	path, _ = find(path)
	return path
}

// find returns where the configuration should be, absolute, and whether
// somebody said so.
func find(path string) (found string, demanded bool) {
	if path == "" {
		path = os.Getenv("WEIR_CONFIG")
	}
	if path == "" {
		folder, err := os.UserConfigDir()
		if err != nil {
			return "", false
		}
		return filepath.Join(folder, "weir", "mcp.yaml"), false
	}
	if home, err := os.UserHomeDir(); err == nil {
		path = withHome(path, home)
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return path, true
}

// readFile reads a file of at most limit bytes. A configuration may come through a
// pipe; what it names is read by [state.ReadFile].
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: it is larger than %d bytes", path, limit)
	}
	return data, nil
}

// parse makes a File of the text at o.Path.
func parse(o Options, data []byte) (*File, error) {
	path := o.Path
	root, err := parseTree(path, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: path, sources: o.Sources}
	switch {
	case root == nil:
		d.warn = append(d.warn, path+": the file is empty")
		f, err := build(o, &document{}, d)
		if err == nil {
			f.Empty = true
		}
		return f, err
	case isForeign(root):
		return parseForeign(o, d, root)
	}
	var doc document
	d.value(root, &doc)
	return build(o, &doc, d)
}

// parseTree reads JSON or YAML. The tree of an empty file is nil. What begins
// like JSON but is not named so may still be YAML in its flow style.
func parseTree(path string, data []byte) (*yaml.Node, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if looksLikeJSON(data) {
		root, err := parseJSON(path, data)
		if ext := filepath.Ext(path); err == nil || ext == ".json" || ext == ".jsonc" {
			return root, err
		}
	}
	return parseYAML(path, data)
}
