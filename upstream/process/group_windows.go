package process

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is the Job Object of a child. It ends with weir's handle to it, so no
// child outlives weir. A child that starts others before it is in the job can
// lose them; it has microseconds for that.
type group struct{ job windows.Handle }

func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

// newGroup puts the leader into a job. Where that is refused the group is the
// leader alone.
func newGroup(leader *os.Process) group {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return group{}
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		err = leader.WithHandle(func(process uintptr) {
			err = windows.AssignProcessToJobObject(job, windows.Handle(process))
		})
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		return group{}
	}
	return group{job: job}
}

// terminate does nothing: a program without a window has no signal to get.
func (group) terminate() {}

func (g group) kill() {
	if g.job != 0 {
		_ = windows.TerminateJobObject(g.job, 1)
	}
}

// empty is true where the leader's end is all that was waited for: release ends
// what it has left behind.
func (group) empty() bool { return true }

func (g group) release() {
	if g.job != 0 {
		_ = windows.CloseHandle(g.job)
	}
}
