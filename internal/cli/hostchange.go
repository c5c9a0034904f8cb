package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	taken   []takenEntry     // that are taken over
	secrets []string         // that are not shown
	own     []string         // the host's own command that adds the entry; nil for none
	done    string           // said when it is
	aside   string           // said with it

	// record is what is remembered for uninstall; nil to forget it. With it goes what
	// the file was without weir; nil for no file.
	record *hostRecord
	before []byte
}

// isNothing reports whether there is nothing to do.
func (c *hostChange) isNothing() bool { return !c.file.isNew && bytes.Equal(c.after, c.file.text) }

// say adds what a person should know.
func (c *hostChange) say(more string) {
	if c.aside != "" {
		more = c.aside + "; " + more
	}
	c.aside = more
}

// planInstall works out how weir gets into a host.
func (a *app) planInstall(h hosts.Host, f hostFlags) (*hostChange, error) {
	file, err := a.findHostFile(h, f)
	if err != nil {
		return nil, err
	}
	c, err := a.planEntry(h, file, f, taking{})
	if err == nil && c.isNothing() {
		a.sayInAlready(c)
		return nil, nil
	}
	return c, err
}

func (a *app) sayInAlready(c *hostChange) {
	fmt.Fprintf(a.Stdout, "%s: weir is in already, as %q in %s\n", c.host.Title, c.name, c.file.Path)
}

// A taking is what weir takes over from a host's file.
type taking struct {
	entries   []takenEntry
	secrets   []string // of theirs
	variables []string // that they need
}

// planEntry works out how weir's entry gets into a file of a host, in the place of
// others.
func (a *app) planEntry(h hosts.Host, file *hostFile, f hostFlags, t taking) (*hostChange, error) {
	program, err := a.installedProgram()
	if err != nil {
		return nil, err
	}
	args, err := a.servingArgs()
	if err != nil {
		return nil, err
	}
	if file.entry != nil && !startsWeir(file.entry, program) {
		return nil, fmt.Errorf("%s has an entry %q already, and that starts something else: choose another name (--name)", file.Path, f.name)
	}
	c := &hostChange{
		host: h, file: file, name: f.name, members: a.hostEntry(h, program, args, file.entry, a.variables(t)), taken: t.entries, secrets: t.secrets,
		done: fmt.Sprintf("weir is in now, as %q in %s", f.name, file.Path), aside: a.aside(h),
	}
	if c.after, err = c.edited(file); err != nil {
		return nil, file.explain(err)
	}
	if c.isNothing() {
		return c, nil
	}
	if err := file.writable(); err != nil {
		return nil, err
	}
	if err := a.planRecord(c); err != nil {
		return nil, err
	}
	if file.entry == nil && !f.project {
		c.own = a.ownCommand(h, f.name, program, args, c.members)
	}
	return c, nil
}

// planUninstall works out how weir gets out of a host.
func (a *app) planUninstall(h hosts.Host, f hostFlags) (*hostChange, error) {
	file, err := a.findHostFile(h, f)
	if err != nil {
		return nil, err
	}
	record, err := a.recall(file, f.name)
	if err != nil {
		return nil, err
	}
	program, err := a.installedProgram()
	if err == nil && file.entry != nil && !startsWeir(file.entry, program) {
		return nil, fmt.Errorf("the entry %q in %s does not start weir: nothing is taken out (--name names another)", f.name, file.Path)
	}
	after, err := a.undone(file, f.name, record)
	if err != nil {
		return nil, file.explain(err)
	}
	c := &hostChange{host: h, file: file, name: f.name, after: after, done: fmt.Sprintf("weir is no longer in %s", file.Path)}
	if file.isNew || c.isNothing() {
		fmt.Fprintf(a.Stdout, "%s: there is no entry %q in %s\n", h.Title, f.name, file.Path)
		return nil, nil
	}
	if record != nil && len(record.Taken) > 0 {
		c.done += ", and its servers are in there again"
		c.say(homeless(record.Config) + " keeps them, for other hosts (weir remove NAME; weir import --undo takes the last import out)")
		if c.secrets, err = a.secretsIn(file.Place, after); err != nil {
			return nil, err
		}
	}
	return c, file.writable()
}

// secretsIn are the texts that are not to be shown of the servers in a host's file.
func (a *app) secretsIn(p hosts.Place, text []byte) (all []string, err error) {
	file, err := hosts.ThisMachine(a.getenv, "").ReadText(p, text)
	if err != nil {
		return nil, err
	}
	for _, s := range file.Servers {
		for _, secret := range hosts.Secrets(s.Definition) {
			all = append(all, secret.Value)
		}
	}
	return all, nil
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
		if folder, err = workingFolder(); err != nil {
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
	if f.text, f.mode, err = state.ReadFile(real, state.MaxFile); err != nil {
		return nil, err
	}
	f.entry, err = f.language().Find(f.text, f.path(name))
	return f, f.explain(err)
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

// edited is the text of a file with weir's entry in it, and without those that are
// taken over. Of an entry of weir's that is there, what weir does not write stays.
func (c *hostChange) edited(f *hostFile) (text []byte, err error) {
	if f.entry == nil {
		text, err = f.language().Set(f.text, f.path(c.name), jsonrpc.AppendObject(nil, c.members))
	} else {
		text = f.text
		for i := 0; i < len(c.members) && err == nil; i++ {
			text, err = f.language().Set(text, f.path(c.name, string(c.members[i].Key)), c.members[i].Value)
		}
	}
	for i := 0; i < len(c.taken) && err == nil; i++ {
		text, err = c.taken[i].removed(f, text)
	}
	return text, err
}

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
	if c.record == nil {
		if err := a.write(ctx, c); err != nil {
			return err
		}
		return forgetHost(folder, id)
	}
	// What the file was is known before it is changed, whenever weir ends.
	back, err := keepHost(folder, id, c)
	if err != nil {
		return fmt.Errorf("keeping what the file was: %w", err)
	}
	first := c.file
	if err := a.write(ctx, c); err != nil {
		if first.isUnchanged() == nil {
			back()
		}
		return err
	}
	return c.remember(folder, id)
}

// errChanged is of a file that somebody has changed since it was shown.
var errChanged = errors.New("the file has changed in the meantime, and nothing was written: look again")

// isUnchanged reports whether a file still is what was read.
func (f *hostFile) isUnchanged() error {
	text, _, err := state.ReadFile(f.real, state.MaxFile)
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
