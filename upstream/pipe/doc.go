// Package pipe reads and writes pipes and sockets past the runtime's poller:
// who waits, waits in the kernel on a thread of its own and is woken there by
// the message itself. On each hop that saves the read that finds nothing, the
// poller's call, and the handing over between threads, which together cost more
// than all that weir does with a small message.
//
// A thread for each waiting reader is the price: it is for the host and for
// children, of which there are few, not for sockets by the thousand.
package pipe
