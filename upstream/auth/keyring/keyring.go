package keyring

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrUnavailable is the error of a keyring that is not there, is locked, or
	// does not answer. Its text says which, where that is known.
	ErrUnavailable = errors.New("no keyring can be used")

	// ErrNotFound is the error for a secret that the keyring does not have.
	ErrNotFound = errors.New("the keyring has no such secret")
)

// Timeout is how long a call may take whose context has no deadline.
const Timeout = 10 * time.Second

// MaxSecret is how long a secret may be, in bytes: all systems take as much.
const MaxSecret = 2500

// A Ring keeps secrets by the name of a service and an account. It is safe for
// concurrent use. Its errors are ErrNotFound, ErrUnavailable or what is wrong with
// the arguments, found by errors.Is; none of them has a secret in it.
type Ring interface {
	Get(ctx context.Context, service, account string) (string, error)

	// Set replaces the secret that is there. If it fails with ErrUnavailable, it may
	// have been done all the same.
	Set(ctx context.Context, service, account, secret string) error

	// Delete is ErrNotFound if there is nothing to delete.
	Delete(ctx context.Context, service, account string) error
}

// System is the keyring of the user whose environment getenv reads. Nothing is
// asked before the first call. Each call ends with its context, and after Timeout
// if that has no deadline; what it has begun may go on then, see the package.
//
// No message bus is ever started. Where DBUS_SESSION_BUS_ADDRESS is missing, as
// under hosts that pass few variables on, the bus is sought where the system has
// it, and the variable is set for this process and its children.
func System(getenv func(string) string) Ring {
	return &system{backend: desktop{}, ready: func() error { return findBus(getenv) }, calls: &process}
}
