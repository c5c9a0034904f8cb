// Package resident keeps small what of the process is in memory.
//
// Most of what a program touches when it starts it never touches again: the
// initialization of its libraries, the reading of its configuration. Those pages
// of the program's file stay mapped, and count as the process's memory, until the
// system is short of it. Given back, they are in the system's cache of files like
// those of any file, and come again by themselves, some at a time, where they are
// touched after all.
package resident
