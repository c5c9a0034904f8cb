package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/weir-mcp/weir/internal/hostedit"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/state"
)

// A hostFile is a file of a host's as it was read.
type hostFile struct {
	hosts.Place
	real  string      // where it lies, behind symbolic links
	mode  fs.FileMode // that it has, or is to have
	text  []byte
	isNew bool // there is none yet
	entry []byte
}

// A hostChange is what is to be done in a host.
type hostChange struct {
	host  hosts.Host
	file  *hostFile
	name  string // of the entry
	after []byte // nil to remove the file

	members []jsonrpc.Member // that weir writes of the entry
	own     []string         // the host's own command that adds the entry; nil for none
	done    string           // said when it is
	aside   string           // said with it

	// record is what is remembered for uninstall; nil to forget it.
	record *hostRecord
}

// planInstall works out how weir gets into a host.
func (a *app) planInstall(h hosts.Host, f hostFlags) (*hostChange, error) {
	program, err := a.installedProgram()
	if err != nil {
		return nil, err
	}
	args, err := a.servingArgs()
	if err != nil {
		return nil, err
	}
	file, err := a.findHostFile(h, f)
	if err != nil {
		return nil, err
	}
	if file.entry != nil && !startsWeir(file.entry, program) {
		return nil, fmt.Errorf("%s has an entry %q already, and that starts something else: choose another name (--name)", file.Path, f.name)
	}
	members := a.hostEntry(h, program, args)
	after, err := withEntry(file, f.name, members)
	if err != nil {
		return nil, file.explain(err)
	}
	if !file.isNew && bytes.Equal(after, file.text) {
		fmt.Fprintf(a.Stdout, "%s: weir is in already, as %q in %s\n", h.Title, f.name, file.Path)
		return nil, nil
	}
	if err := file.writable(); err != nil {
		return nil, err
	}
	record, err := a.recordOf(file, f.name)
	if err != nil {
		return nil, err
	}
	c := &hostChange{
		host: h, file: file, name: f.name, after: after, members: members, record: record,
		done: fmt.Sprintf("weir is in now, as %q in %s", f.name, file.Path), aside: a.aside(h),
	}
	if file.entry == nil && !f.project {
		c.own = a.ownCommand(h, f.name, program, args, members)
	}
	return c, nil
}

// planUninstall works out how weir gets out of a host.
func (a *app) planUninstall(h hosts.Host, f hostFlags) (*hostChange, error) {
	file, err := a.findHostFile(h, f)
	if err != nil {
		return nil, err
	}
	if file.entry == nil {
		fmt.Fprintf(a.Stdout, "%s: there is no entry %q in %s\n", h.Title, f.name, file.Path)
		return nil, nil
	}
	program, err := a.installedProgram()
	if err == nil && !startsWeir(file.entry, program) {
		return nil, fmt.Errorf("the entry %q in %s does not start weir: nothing is taken out (--name names another)", f.name, file.Path)
	}
	if err := file.writable(); err != nil {
		return nil, err
	}
	after, err := a.withoutEntry(file, f.name)
	if err != nil {
		return nil, file.explain(err)
	}
	return &hostChange{
		host: h, file: file, name: f.name, after: after,
		done: fmt.Sprintf("weir is no longer in %s", file.Path),
	}, nil
}

// findHostFile reads the file of a host that has the entry, else the one where the
// host's servers are, else the one where they would be.
func (a *app) findHostFile(h hosts.Host, f hostFlags) (*hostFile, error) {
	places, err := a.hostPlaces(h, f.project)
	if err != nil {
		return nil, err
	}
	var files []*hostFile
	for _, p := range places {
		file, err := readHostFile(p, f.name)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	isCurrent := func(f *hostFile) bool { return len(f.Servers) == 1 }
	for _, isWanted := range []func(f *hostFile) bool{
		func(f *hostFile) bool { return f.entry != nil },
		func(f *hostFile) bool { return isCurrent(f) && !f.isNew },
		func(f *hostFile) bool {
			info, err := os.Stat(filepath.Dir(f.Path))
			return isCurrent(f) && err == nil && info.IsDir()
		},
	} {
		if i := slices.IndexFunc(files, isWanted); i >= 0 {
			return files[i], nil
		}
	}
	return files[0], nil
}

// hostPlaces are those of a host that are the user's, or the project's.
func (a *app) hostPlaces(h hosts.Host, project bool) (all []hosts.Place, err error) {
	folder, scope := "", hosts.User
	if project {
		scope = hosts.Project
		if folder, err = os.Getwd(); err != nil {
			return nil, err
		}
	}
	for _, p := range hosts.ThisMachine(a.getenv, folder).PlacesOf(h) {
		if p.Scope == scope {
			all = append(all, p)
		}
	}
	switch {
	case len(all) > 0:
		return all, nil
	case project:
		return nil, errors.New("it keeps no servers in the folder of a project: leave --project out")
	}
	return nil, errors.New("no place for its settings is known on this machine ($HOME is not set)")
}

// maxHostFile is how large a file of a host's may be, in bytes.
const maxHostFile = state.MaxFile

func readHostFile(p hosts.Place, name string) (*hostFile, error) {
	f := &hostFile{Place: p, real: p.Path, mode: 0o600}
	real, err := filepath.EvalSymlinks(p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if info, linkErr := os.Lstat(p.Path); linkErr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%s is a symbolic link to a file that is not there: make that file, or take the link away", p.Path)
		}
		f.isNew = true
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	f.real = real
	if f.text, f.mode, err = readRegular(real); err != nil {
		return nil, err
	}
	f.entry, err = f.language().Find(f.text, f.path(name))
	return f, f.explain(err)
}

// readRegular reads a file that is one, and no larger than a host's may be.
func readRegular(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path) // before it is opened: a pipe would wait for its writer
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxHostFile+1))
	if err != nil {
		return nil, 0, err
	}
	if len(text) > maxHostFile {
		return nil, 0, fmt.Errorf("%s is larger than %d bytes, and weir does not edit it", path, maxHostFile)
	}
	return text, info.Mode().Perm(), nil
}

func (f *hostFile) language() hostedit.Language {
	if f.Format == hosts.TOML {
		return hostedit.TOML{}
	}
	return hostedit.JSON{}
}

func (f *hostFile) path(keys ...string) []string {
	return slices.Concat(f.Servers, keys)
}

// explain says in which file an edit has failed.
func (f *hostFile) explain(err error) error {
	if e, ok := errors.AsType[*hostedit.Error](err); ok {
		return fmt.Errorf("%s:%d: %s", f.Path, e.Line, e.Why)
	}
	return err
}

// writable says what to do about a file that is not.
func (f *hostFile) writable() error {
	if f.isNew || f.mode&0o200 != 0 {
		return nil
	}
	return fmt.Errorf("%s is read-only: make it writable and try again", f.Path)
}

// withEntry is the text of a file with the entry in it. Of one that is there, what
// weir does not write stays.
func withEntry(f *hostFile, name string, members []jsonrpc.Member) ([]byte, error) {
	if f.entry == nil {
		return f.language().Set(f.text, f.path(name), jsonrpc.AppendObject(nil, members))
	}
	text := f.text
	for _, m := range members {
		var err error
		if text, err = f.language().Set(text, f.path(name, string(m.Key)), m.Value); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// A hostRecord is what weir remembers of a file that it has put itself into.
type hostRecord struct {
	File  string `json:"file"`
	Name  string `json:"name"`
	After string `json:"after"` // SHA-256 of the file as weir left it
	IsNew bool   `json:"isNew"` // there was no file
	Had   bool   `json:"had"`   // an entry of that name was there before
	Made  int    `json:"made"`  // of the objects around the entry
	More  bool   `json:"more"`  // the host wrote the entry itself, and more than that
}

// recordID names the record of an entry, and what its file was before.
func recordID(f *hostFile, name string) string {
	digest := sha256.Sum256([]byte(f.real + "\x00" + name))
	return "install-" + hex.EncodeToString(digest[:8])
}

// hostState is where records are kept.
func (a *app) hostState() (state.Folder, error) {
	folder, err := state.UserFolder(a.getenv)
	if err != nil {
		return folder, fmt.Errorf("finding a place to keep what the file was: %w (set $HOME or $XDG_STATE_HOME)", err)
	}
	return folder, nil
}

// recall returns the record of an entry; nil if there is none that fits the file
// as it is.
func (a *app) recall(f *hostFile, name string) (*hostRecord, error) {
	folder, err := a.hostState()
	if err != nil {
		return nil, err
	}
	data, err := folder.Read(recordID(f, name) + ".json")
	if err != nil || data == nil {
		return nil, err
	}
	var r hostRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, nil // what cannot be read is as good as none: the entry is taken out all the same
	}
	return &r, nil
}

// recordOf is what is to be remembered when an entry is put into a file. Weir's
// own entry is put in anew without forgetting what was there before it.
func (a *app) recordOf(f *hostFile, name string) (*hostRecord, error) {
	before, err := a.recall(f, name)
	if err != nil {
		return nil, err
	}
	if before != nil && f.entry != nil {
		if before.After == digestOf(f.text) {
			return before, nil
		}
		return &hostRecord{File: f.real, Name: name, Had: true, Made: before.Made, More: before.More}, nil
	}
	made, err := f.language().Missing(f.text, f.path(name))
	return &hostRecord{File: f.real, Name: name, IsNew: f.isNew, Had: f.entry != nil, Made: made}, f.explain(err)
}

// withoutEntry is the text of a file without the entry: what it was before, if
// nobody has changed it since; nil if there was none.
func (a *app) withoutEntry(f *hostFile, name string) ([]byte, error) {
	r, err := a.recall(f, name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return f.language().Remove(f.text, f.path(name), 0)
	}
	if r.After == digestOf(f.text) && !r.Had && !r.More {
		if r.IsNew {
			return nil, nil
		}
		folder, err := a.hostState()
		if err != nil {
			return nil, err
		}
		if before, err := folder.Read(recordID(f, name) + ".before"); err != nil || before != nil {
			return before, err
		}
	}
	return f.language().Remove(f.text, f.path(name), r.Made)
}

// errChanged is of a file that somebody has changed since it was shown.
var errChanged = errors.New("the file has changed in the meantime, and nothing was written: look again")

// applyHostChange does what was shown, unless the file has changed since.
func (a *app) applyHostChange(ctx context.Context, c *hostChange) error {
	folder, err := a.hostState()
	if err != nil {
		return err
	}
	id := recordID(c.file, c.name)
	unlock, err := folder.Lock(ctx, id)
	if err != nil {
		return fmt.Errorf("keeping others from the file: %w", err)
	}
	defer unlock()
	if err := c.file.isUnchanged(); err != nil {
		return err
	}
	if err := keepBefore(folder, id, c); err != nil {
		return fmt.Errorf("keeping what the file was: %w", err)
	}
	if err := a.write(ctx, c); err != nil {
		return err
	}
	return c.remember(ctx, folder, id)
}

// keepBefore keeps what a file was, but for what weir itself has made of it.
func keepBefore(folder state.Folder, id string, c *hostChange) error {
	if c.file.isNew || c.record != nil && c.record.After != "" {
		return nil
	}
	return state.ReplaceFile(folder.Path(id+".before"), c.file.text)
}

// isUnchanged reports whether a file still is what was read.
func (f *hostFile) isUnchanged() error {
	text, _, err := readRegular(f.real)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.isNew:
		return nil
	case err != nil:
		return err
	case f.isNew || !bytes.Equal(text, f.text):
		return errChanged
	}
	return nil
}

// write lets the host add the entry, where it can, and else writes the file.
func (a *app) write(ctx context.Context, c *hostChange) error {
	if c.own != nil {
		done, err := a.addByHost(ctx, c)
		if done || err != nil {
			return err
		}
	}
	if c.after == nil {
		return os.Remove(c.file.real)
	}
	if c.file.isNew {
		if err := os.MkdirAll(filepath.Dir(c.file.real), 0o700); err != nil {
			return err
		}
	}
	return state.ReplaceFileAs(c.file.real, c.after, c.file.mode)
}

// remember keeps the record of a change, or forgets it with that of the entry.
func (c *hostChange) remember(ctx context.Context, folder state.Folder, id string) error {
	var data []byte
	if c.record != nil {
		c.record.After = digestOf(c.after)
		var err error
		if data, err = json.Marshal(c.record); err != nil {
			return err
		}
	}
	return folder.Update(ctx, id+".json", func([]byte) ([]byte, error) { return data, nil })
}
