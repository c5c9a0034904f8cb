//go:build !unix

package state

// noWaiting is nothing where pipes have no place in folders.
const noWaiting = 0
