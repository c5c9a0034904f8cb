package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// privateOutput returns a stream of its own to what f writes to. If f is the
// process's stdout, the standard handle and os.Stdout become stderr. What has
// kept the handle from before still writes to f. It was built and vetted, and not run.
func privateOutput(f *os.File) (private stream, restore func(), err error) {
	private, restore, err = duplicate(f)
	if err != nil || f != os.Stdout { //nolint:forbidigo // it is what is guarded here
		return private, restore, err
	}
	if err := windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, windows.Handle(os.Stderr.Fd())); err != nil {
		return nil, nil, fmt.Errorf("pointing stdout at stderr: %w", err)
	}
	os.Stdout = os.Stderr //nolint:forbidigo // so that nobody else writes there
	return private, restore, nil
}

// duplicate returns a second stream on f's handle.
func duplicate(f *os.File) (private stream, restore func(), err error) {
	self := windows.CurrentProcess()
	var handle windows.Handle
	err = windows.DuplicateHandle(self, windows.Handle(f.Fd()), self, &handle, 0, false, windows.DUPLICATE_SAME_ACCESS)
	if err != nil {
		return nil, nil, fmt.Errorf("duplicating %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(handle), f.Name()), func() {}, nil
}
