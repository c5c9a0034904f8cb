//go:build !unix

package process

// askLoginShell: the desktop's PATH is the shell's here.
func askLoginShell(*Guardian, []string) string { return "" }
