// Package rig holds weir between a program's two hands: servers on the one
// side, each over a transport of its own and breakable in many ways, hosts on
// the other. What weir does in between is for the program to watch.
//
// All of a [Server] runs in the program, whatever the transport: a child over
// stdio is only a [Relay] between its standard streams and a socket of the
// program's. So nothing that a server has done is lost with a process, and one
// place knows what has run. A [Process] is one weir, with the folders it lives
// in and what the system tells of it.
//
// It needs /proc, and so Linux, for what it counts.
package rig
