package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is the Job Object of a child, in which are all that it starts. It ends with
// weir's handle to it, which nobody inherits, so no child outlives weir. A child
// begins suspended and runs when it is in the job, so that it can start nobody
// outside. Since Windows 8 jobs nest: neither a host that has weir in a job of
// its own nor a child that makes jobs is in the way. Leaving the job is not allowed.
//
// This rests on the documentation of Job Objects, of CreateProcess and of ToolHelp. It
// was built and vetted, and not run: what is least sure is that the one thread of a
// suspended process is always in the snapshot.
type group struct {
	job    windows.Handle // 0 where there is none: then the group is the leader alone
	leader *os.Process
}

func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_SUSPENDED, HideWindow: true,
	}
}

// newGroup puts the leader into a job and lets it run. Where a job is refused, as
// before Windows 8 to those that are in one, the group is the leader alone. One
// that cannot be made to run is ended.
func newGroup(leader *os.Process) group {
	g := group{leader: leader}
	if job, err := newJob(leader); err == nil {
		g.job = job
	}
	if err := resume(uint32(leader.Pid)); err != nil {
		g.kill()
	}
	return g
}

func newJob(leader *os.Process) (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("making a job: %w", err)
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	var assignErr error
	handleErr := leader.WithHandle(func(process uintptr) {
		assignErr = windows.AssignProcessToJobObject(job, windows.Handle(process))
	})
	if err := errors.Join(err, handleErr, assignErr); err != nil {
		_ = windows.CloseHandle(job)
		return 0, fmt.Errorf("using a job: %w", err)
	}
	return job, nil
}

var errNoThread = errors.New("the process has no thread")

// resume lets a process run that was started suspended: it has one thread then, to
// which the standard library keeps no handle, so it is sought.
func resume(pid uint32) error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("listing threads: %w", err)
	}
	defer windows.CloseHandle(snapshot)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	found := false
	for err = windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		if err := resumeThread(entry.ThreadID); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return errNoThread
	}
	return nil
}

func resumeThread(id uint32) error {
	thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, id)
	if err != nil {
		return fmt.Errorf("opening a thread: %w", err)
	}
	defer windows.CloseHandle(thread)
	if _, err := windows.ResumeThread(thread); err != nil {
		return fmt.Errorf("resuming a thread: %w", err)
	}
	return nil
}

// terminate does nothing: a program without a window has no signal to get.
func (group) terminate() {}

func (g group) kill() {
	if g.job != 0 {
		_ = windows.TerminateJobObject(g.job, 1)
		return
	}
	_ = g.leader.Kill() // ended is as good
}

// empty is true where the leader's end is all that was waited for: release ends
// what it has left behind.
func (group) empty() bool { return true }

func (g group) release() {
	if g.job != 0 {
		_ = windows.CloseHandle(g.job)
	}
}
