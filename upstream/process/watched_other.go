//go:build unix && !linux

package process

import "syscall"

// startOf: nothing here tells one process from a later one with its number.
func startOf(int) string { return "" }

// onlyZombies: see group.empty for how they show here.
func onlyZombies(int) bool { return false }

// signalCarriers: the environment of others cannot be read here.
func (*watched) signalCarriers(syscall.Signal, map[int]bool) int { return 0 }

// stayOutOfMemory: what is mapped from the program's file is shared anyway.
func stayOutOfMemory() {}
