package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/internal/doctor"
	"github.com/weir-mcp/weir/upstream/auth/keyring"
	"github.com/weir-mcp/weir/upstream/state"
)

// A listKey says whose lists are of use.
type listKey struct {
	server   string
	identity []byte
}

const (
	// unusedFor is how old lists of servers that are not configured must be: a weir
	// that uses them makes them younger once a week.
	unusedFor = 8 * 24 * time.Hour

	// cutOff is how old what a write has left must be: no write takes as long.
	cutOff = time.Hour

	// maxCounted is how many files of a folder are looked at.
	maxCounted = 20_000
)

// folders looks at those of weir's own files.
func (c *checkup) folders() {
	facts := &c.facts.Files
	if folder, err := state.UserFolder(c.getenv); err == nil {
		facts.Folders = append(facts.Folders, c.folder(folder.Path(""), "logins, pins and records"))
	}
	if cache, err := os.UserCacheDir(); err == nil {
		facts.Folders = append(facts.Folders, c.folder(filepath.Join(cache, "weir"), "lists"))
	}
}

// files looks at what is in them.
func (c *checkup) files(ctx context.Context) {
	if folder, err := state.UserFolder(c.getenv); err == nil {
		c.stateFiles(ctx, folder)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		c.listFiles(ctx, filepath.Join(cache, "weir"))
	}
}

// folder looks at a folder of weir's, and tries to write into it. One that is not
// there is made when it is needed.
func (c *checkup) folder(dir, holds string) doctor.Folder {
	f := doctor.Folder{Path: dir, Holds: holds}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f
	case err != nil:
		f.Unwritable = err.Error()
		return f
	case !info.IsDir():
		f.Unwritable = "it is no folder"
		return f
	}
	if runtime.GOOS != "windows" {
		f.Mode = info.Mode().Perm()
	}
	if err := tryWriting(dir); err != nil {
		f.Unwritable = err.Error()
	}
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if f.Count == maxCounted {
			return filepath.SkipAll
		}
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // what cannot be looked at counts nothing
		}
		if info, err := entry.Info(); err == nil {
			f.Count++
			f.Size += info.Size()
		}
		return nil
	})
	return f
}

// tryWriting puts a file of one block into a folder, and takes it away.
func tryWriting(dir string) error {
	file, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return reasonOnly(err)
	}
	_, err = file.Write(make([]byte, 4<<10))
	return reasonOnly(errors.Join(err, file.Close(), os.Remove(file.Name())))
}

// reasonOnly is an error without the path, which is said already.
func reasonOnly(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

func (c *checkup) stateFiles(ctx context.Context, folder state.Folder) {
	facts := &c.facts.Files
	names, _ := folder.Names()
	var locks []string
	for _, name := range names[:min(len(names), maxCounted)] {
		path := folder.Path(name)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		switch {
		case isTemporary(name) && time.Since(info.ModTime()) > cutOff:
			facts.Left = append(facts.Left, doctor.File{Path: path})
		case isOpen(info.Mode()):
			facts.Open = append(facts.Open, doctor.File{Path: path, Mode: info.Mode().Perm()})
		}
		if lock, ok := strings.CutSuffix(name, ".lock"); ok {
			locks = append(locks, lock)
		}
	}
	for _, name := range heldLocks(ctx, folder, locks) {
		facts.Locked = append(facts.Locked, name+".lock")
	}
}

// isOpen reports whether others can read or write what has this mode. On Windows a mode
// does not say.
func isOpen(mode fs.FileMode) bool { return runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 }

// isTemporary reports whether a name is that of a file which was to take the place of
// another one.
func isTemporary(name string) bool {
	whole, ok := strings.CutPrefix(strings.TrimRight(name, "0123456789"), ".")
	return ok && whole != "" && state.IsTemporaryOf(name, whole)
}

// lockTime is longer than a write holds a lock.
const lockTime = time.Second

// heldLocks are the locks that somebody else has, and keeps for a while.
func heldLocks(ctx context.Context, folder state.Folder, locks []string) (held []string) {
	isHeld := func(name string) bool {
		unlock, err := folder.TryLock(name)
		if unlock != nil {
			unlock()
		}
		return err == nil && unlock == nil
	}
	for _, name := range locks {
		if isHeld(name) {
			held = append(held, name)
		}
	}
	if len(held) == 0 {
		return nil
	}
	pause := time.NewTimer(lockTime)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	return slices.DeleteFunc(held, func(name string) bool { return !isHeld(name) })
}

func (c *checkup) listFiles(ctx context.Context, dir string) {
	facts := &c.facts.Files
	stored, err := catalog.Survey(dir, time.Now())
	if err != nil || len(stored) == 0 {
		return
	}
	inUse := map[string]bool{}
	if store := openStore(ctx, zerolog.Nop()); store.Usable() {
		for _, k := range c.keys {
			inUse[store.Path(catalog.Key{Server: k.server, Identity: k.identity})] = true
		}
	}
	for _, s := range stored {
		switch {
		case s.Left:
			facts.Left = append(facts.Left, doctor.File{Path: s.Path})
		case s.Err != nil:
			facts.Damaged = append(facts.Damaged, doctor.File{Path: s.Path, Why: s.Err.Error()})
		case s.Lists && len(inUse) > 0 && !inUse[s.Path] && time.Since(s.Used) > unusedFor:
			facts.Unused = append(facts.Unused, doctor.File{Path: s.Path})
		case s.Mode.IsRegular() && isOpen(s.Mode):
			facts.Open = append(facts.Open, doctor.File{Path: s.Path, Mode: s.Mode.Perm()})
		}
	}
}

// logins looks at what is kept, and tries the keyring.
func (c *checkup) logins(ctx context.Context) {
	c.tryKeyring(ctx)
	if c.file == nil {
		return
	}
	d := &desk{app: c.app, file: c.file, keeper: c.newKeeper(nil, zerolog.Nop())}
	defer d.close()
	lines, err := d.authLines(ctx)
	if err != nil {
		c.facts.Logins = append(c.facts.Logins, doctor.Login{URL: "logins", State: doctor.LoginBroken, Error: err.Error()})
	}
	states := map[string]doctor.LoginState{authExpired: doctor.LoginExpired, authLoggedIn: doctor.LoginGood}
	for _, line := range lines {
		l := doctor.Login{Server: line.Server, URL: line.URL, State: states[line.State], Error: line.Error}
		switch {
		case line.Server == "":
			l.State = doctor.LoginLeft
		case line.State == authBroken && !c.isBroken(line.Server):
			l.State = doctor.LoginBroken
		}
		c.facts.Logins = append(c.facts.Logins, l)
	}
}

// isBroken reports whether a server cannot be used as configured, which is said of it.
func (c *checkup) isBroken(server string) bool {
	for i := range c.file.Servers {
		if c.file.Servers[i].Name == server {
			return c.file.Servers[i].Broken != nil
		}
	}
	return false
}

// keyringTime is how long the keyring may take: a locked one asks a person, who may
// not be there.
const keyringTime = 3 * time.Second

func (c *checkup) tryKeyring(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keyringTime)
	defer cancel()
	_, err := c.keyring().Get(ctx, "weir", "doctor")
	if err == nil || errors.Is(err, keyring.ErrNotFound) {
		return
	}
	text := err.Error()
	if _, why, ok := strings.Cut(text, keyring.ErrUnavailable.Error()+": "); ok {
		text = why
	}
	c.facts.Keyring.Unusable = text
}

// runningWeirs asks them how they are.
func (c *checkup) runningWeirs(ctx context.Context) {
	weirs, unanswered, err := c.listLive(ctx)
	if err != nil {
		return // there is no place where they could be found
	}
	for _, w := range weirs {
		c.facts.Running = append(c.facts.Running, doctor.Running{PID: w.PID, Version: w.Version, Hosts: w.Hosts, Config: w.Config, Problem: w.Problem})
	}
	for _, err := range unanswered {
		c.facts.Unanswered = append(c.facts.Unanswered, err.Error())
	}
	slices.Sort(c.facts.Unanswered)
}

// repair carries out a fix. What has become something else meanwhile stays.
func repair(f *doctor.Fix) error {
	info, err := os.Lstat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else has done it
	}
	switch {
	case err != nil:
		return err
	case f.Do == doctor.Close && info.Mode()&fs.ModeSymlink == 0:
		return os.Chmod(f.Path, f.Mode)
	case f.Do == doctor.Remove && info.Mode().IsRegular():
		return os.Remove(f.Path)
	}
	return fmt.Errorf("%s: it is another one than was looked at", f.Path)
}
