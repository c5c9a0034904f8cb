// Package desktop is the part of a desktop that keeps secrets, for tests: a session
// bus of their own, and on it a real keyring.
package desktop
