// Package watch tells that something has happened to files: that they were
// written, replaced, taken away or put there, or that a symbolic link on the way
// to them leads elsewhere now. It says neither what has happened nor to which of
// them, and may tell though nothing has: whoever is told looks.
//
// # Design
//
// A file is watched by the folder that it lies in, since editors write another
// file and rename it, and a watch of a file ends with that file. Each link on the
// way is watched in the same manner, for some programs switch a link instead, that
// of a folder far above included (Kubernetes switches "..data"); and where the way
// ends before the file does, the folder where it ends is. What the way is may
// change with each thing that happens, so Follow finds it out anew.
//
// Where the system tells nothing (a network folder, no watch to be had) the files
// are looked at every few seconds.
package watch
