package login

var thisSystem = system{
	desktop: noRemoteShell,
	openers: func(func(string) string) [][]string { return [][]string{{"/usr/bin/open"}} },
}
