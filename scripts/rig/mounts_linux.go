package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// namesFile is where the system looks names up first.
const namesFile = "/etc/hosts"

// ownMounts marks a program that runs with mounts of its own.
const ownMounts = "RIG_OWN_MOUNTS"

// Privately runs this program once more, with its arguments and streams, where
// nobody else sees what it mounts; code is how that has ended, and done reports
// that it has: the caller then ends likewise. In the program that was run so it
// returns the means to mount, and nil with the reason where there are none: not
// every system lets its users have mounts of their own.
func Privately() (m *Mounts, code int, done bool, why error) {
	if os.Getenv(ownMounts) != "" {
		m, why = mount()
		return m, 0, false, why
	}
	if isPrivate() {
		return nil, 0, false, errNested
	}
	runtime.LockOSThread() // the program ends with the thread that has started it
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, false, fmt.Errorf("mounts of its own: %w", err)
	}
	err := cmd.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return nil, 1, true, err
	}
	return nil, max(cmd.ProcessState.ExitCode(), 0) | signalled(cmd.ProcessState), true, nil
}

// errNested says that a program runs privately already, and has not been told so: it
// is a descendant of such a one. Were it to run itself again there would be no end.
var errNested = errors.New("mounts of its own: this program was started by one that has them")

// isPrivate reports whether this program, or one that has started it, runs so: there
// is one user only.
func isPrivate() bool {
	users, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(users))
	return err != nil || len(fields) == 3 && fields[2] == "1"
}

// signalled is 1 for a program that a signal has ended.
func signalled(s *os.ProcessState) int {
	if s.ExitCode() < 0 {
		return 1
	}
	return 0
}

// Mounts are the means to mount what nobody else sees.
type Mounts struct{}

// mount puts a file of names in the place of the system's, so that there can be
// more of them.
func mount() (*Mounts, error) {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("keeping mounts to oneself: %w", err)
	}
	text, err := os.ReadFile(namesFile)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "names")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // it stays where it is mounted
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := syscall.Mount(f.Name(), namesFile, "", syscall.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("mounting names: %w", err)
	}
	return &Mounts{}, nil
}

// Name makes a name stand for this machine, for whoever looks it up from now on.
func (*Mounts) Name(name string) error {
	f, err := os.OpenFile(namesFile, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "127.0.0.1 %s\n", name)
	return errors.Join(err, f.Close())
}

// A Disk is a small one of its own over a folder.
type Disk struct{ dir string }

// diskSize is how much a Disk holds, in bytes: lists and logs of a while.
const diskSize = 8 << 20

// Disk puts a disk over a folder. It is the caller's to close.
func (*Mounts) Disk(dir string) (*Disk, error) {
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", diskSize)); err != nil {
		return nil, fmt.Errorf("mounting a disk: %w", err)
	}
	return &Disk{dir}, nil
}

func (d *Disk) filler() string { return filepath.Join(d.dir, ".filler") }

// Fill leaves no room on the disk.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(d.filler(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 16; size > 0; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 16
		case err != nil:
			return err
		}
	}
	return nil
}

// Free undoes Fill.
func (d *Disk) Free() error {
	err := os.Remove(d.filler())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Close takes the disk away, with all that is on it.
func (d *Disk) Close() error { return syscall.Unmount(d.dir, syscall.MNT_DETACH) }
