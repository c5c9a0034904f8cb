// Package process runs the programs behind stdio servers: it finds them, gives
// them a small environment, starts each in a group of its own, drains what
// they write to stderr, and ends the whole group, whatever became of its
// leader. It knows pipes and signals, and nothing of messages.
//
// # Design
//
// The life of a [Child] belongs to one goroutine. It waits for the leader's
// end or for [Child.Stop], then walks down one ladder of deadlines: stdin
// closed, SIGTERM, SIGKILL, give up. A second Stop can only bring deadlines
// nearer. A leader that ends by itself starts the same ladder for what it
// leaves behind. So every end is bounded, and there is one of it.
//
// A Child leads a session of its own and not only a group: it has no
// controlling terminal to be stopped by when weir is used from a shell.
//
// The parent-death signal of Linux is not used: it fires when the thread that
// started the child ends, and threads of a Go program come and go. Instead one
// [Guardian], a process that no signal to weir's group or to weir's children
// reaches, outlives weir for as long as it takes to end what is left. Groups
// are known to it by number and by the start time of their leader, so that a
// number used again by somebody else is never signalled; what has left its
// group is found by the token in its environment.
//
// On Windows a group is a Job Object that ends with weir's handle to it, so
// there the system itself is the guardian.
package process
