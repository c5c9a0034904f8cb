package login

// noRemoteShell is true unless the user sits at another machine.
func noRemoteShell(getenv func(string) string) bool {
	return getenv("SSH_CONNECTION") == "" && getenv("SSH_TTY") == ""
}
