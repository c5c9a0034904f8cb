package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/config"
)

// The variables that say whom weir serves, where no flag does. Children inherit
// neither.
const (
	keyVariable     = "WEIR_KEY"
	profileVariable = "WEIR_PROFILE"
)

// identityFlags are the flags that say whom weir serves.
type identityFlags struct {
	key, keyFile, profile optional

	piped []byte // what the key file held, if that was a pipe; nil before
}

func (f *identityFlags) add(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.Var(&f.keyFile, "key-file", "the `FILE` with the key of this host (see: weir policy key --help)")
	flags.Var(&f.key, "key", "the `KEY` itself (default $WEIR_KEY); others on this machine can read\nwhat programs are started with: prefer --key-file")
	flags.Var(&f.profile, "profile", "the `NAME` of the profile to use (default $WEIR_PROFILE)")
}

// An optional is the text of a flag, which may be there and empty.
type optional struct {
	text  string
	given bool
}

func (o *optional) String() string { return o.text }

// Set implements pflag.Value.
func (o *optional) Set(text string) error {
	o.text, o.given = text, true
	return nil
}

// Type implements pflag.Value.
func (o *optional) Type() string { return "string" }

// or is the text of the flag, else that of a variable.
func (o *optional) or(variable string) string {
	if o.given {
		return o.text
	}
	return variable
}

// load loads the configuration of this run.
func (a *app) load() (*config.File, error) {
	file, _, err := a.loadWithSources()
	return file, err
}

// loadWithSources is load that says which files it has read, also where it fails.
func (a *app) loadWithSources() (*config.File, *config.Sources, error) {
	sources := &config.Sources{}
	key, warnings, err := a.readKey(sources)
	options := a.options(key)
	options.Sources = sources
	file, loadErr := config.Load(options)
	if err = cmp.Or(err, loadErr); err != nil {
		return nil, sources, err
	}
	file.Warnings = append(warnings, file.Warnings...)
	return file, sources, nil
}

// options are what this run says of itself.
func (a *app) options(key []byte) config.Options {
	return config.Options{Path: a.configFlag, Key: key, Profile: a.identity.profile.or(a.getenv(profileVariable))}
}

// readKey returns the key that this run was given; nil for none. A variable that
// is set to nothing is none, as hosts do that for one that they do not have.
func (a *app) readKey(sources *config.Sources) (key []byte, warnings []string, err error) {
	f := &a.identity
	switch variable := a.getenv(keyVariable); {
	case f.key.given && f.keyFile.given:
		return nil, nil, usageError("--key and --key-file are both given; one of them is enough")
	case f.keyFile.given:
		key, warnings, err = a.readKeyFile(sources)
	case f.key.given:
		key = []byte(f.key.text)
	case variable != "":
		key = []byte(variable)
	}
	if err == nil && key != nil && len(key) < minKey {
		warnings = append(warnings, fmt.Sprintf("the key has fewer than %d characters: "+
			"who reads the configuration can find it by trying (make one with: weir policy key NAME)", minKey))
	}
	return key, warnings, err
}

const (
	minKey     = 20      // characters of a key that nobody guesses
	maxKeyFile = 4 << 10 // bytes
)

// errNoKeyFile stands before what is wrong with a key file. Which one it is stands
// in the command; a host is to be told no paths.
var errNoKeyFile = errors.New("reading the key file")

// readKeyFile reads the key in a file, without the white space around it. What is
// no file, but a pipe, can be read once only.
func (a *app) readKeyFile(sources *config.Sources) (key []byte, warnings []string, err error) {
	if a.identity.piped != nil {
		return a.identity.piped, nil, nil
	}
	path := a.identity.keyFile.text
	if rest, inHome := strings.CutPrefix(path, "~/"); inHome {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, rest)
		}
	}
	data, info, err := readSmallFile(path)
	if absolute, pathErr := filepath.Abs(path); pathErr == nil {
		sources.Note(absolute, maxKeyFile, data, err)
	}
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNoKeyFile, err)
	}
	if runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		warnings = append(warnings, fmt.Sprintf("the key file can be read or written by others (mode %04o): chmod 600 it", info.Mode().Perm()))
	}
	key = append([]byte{}, strings.TrimSpace(string(data))...)
	if !info.Mode().IsRegular() {
		a.identity.piped = key
	}
	return key, warnings, nil
}

func readSmallFile(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = fmt.Errorf("it is larger than %d bytes", maxKeyFile)
	}
	return data, info, err
}
