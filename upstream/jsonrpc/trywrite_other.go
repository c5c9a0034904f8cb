//go:build !unix

package jsonrpc

import "syscall"

// tryWriter: no non-blocking write on a pipe here; the Writer's own goroutine
// does all writing.
func tryWriter(syscall.RawConn) func([]byte) (int, error) { return nil }
