package credentials

import (
	"errors"
	"fmt"
)

var (
	// ErrSealed is the error of a login that is there, sealed under a key that the
	// keyring does not give now. Its text says what to do.
	ErrSealed = errors.New("it is sealed under a key in the keyring")

	// ErrDamaged is the error of a login that is there and cannot be understood, nor
	// ever will be.
	ErrDamaged = errors.New("it is damaged")

	// ErrBusy is what is wrong when somebody else has the turn; see BusyError.
	ErrBusy = errors.New("another weir is at it")
)

// A BusyError says that another process, or another caller in this one, has the
// turn. It is an ErrBusy.
type BusyError struct {
	What string // that is being done: "a login at this server"
}

func (e *BusyError) Error() string { return e.What + " is under way already" }

// Unwrap is ErrBusy.
func (e *BusyError) Unwrap() error { return ErrBusy }

// A FileError says what went wrong with a file of the store. Its text names the
// file, but not where it lies, which is nobody's business but the user's.
type FileError struct {
	Doing string // "reading", …
	Name  string // of the file, in the folder of state
	Path  string // of the file
	Err   error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s %q in weir's state folder: %v", e.Doing, e.Name, pathless(e.Err))
}

func (e *FileError) Unwrap() error { return e.Err }

// pathless is an error without what errors of files begin with.
func pathless(err error) error {
	if errors.Is(err, ErrSealed) || errors.Is(err, ErrDamaged) {
		return err
	}
	for {
		cause := errors.Unwrap(err)
		if cause == nil {
			return err
		}
		err = cause
	}
}
