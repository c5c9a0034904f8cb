// Package hosts knows the programs that start MCP servers: where each keeps the
// list of its own, in which shape, and what weir makes of an entry. It reads; it
// changes nothing, starts nothing and asks nobody.
//
// # Design
//
// Where files are is a pure function of a [Machine], so that the places of every
// system are tested on every system. Which of them exist is found out by reading.
//
// A file is read into a tree of nodes that know their lines, whatever it is
// written in. Each host's way of writing an entry is turned into the common one
// (command, args, env, url, headers), and that is carried into weir's form by
// package config, which reads the same files when they are weir's configuration:
// so there is one reading of each key. What weir has no word for is a note. What
// it cannot do at all is a problem of that one server.
//
// References are turned into weir's own where the host replaces them, and written
// so that they stay as they are where it does not: a program gets the text that
// it got from the host.
//
// Everything in these files is hostile: they are bounded in bytes, in depth and in
// parts, and nothing that they name is opened but the file of variables of an
// entry, which is bounded too.
package hosts
