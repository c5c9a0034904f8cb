//go:build !linux

package rig

import "errors"

// Mounts are the means to mount what nobody else sees. There are none here.
type Mounts struct{}

// Privately returns no means, and why.
func Privately() (m *Mounts, code int, done bool, why error) { return nil, 0, false, errElsewhere }

var errElsewhere = errors.New("mounts of its own need Linux")

// Name does nothing.
func (*Mounts) Name(string) error { return errElsewhere }

// A Disk is none.
type Disk struct{}

// Disk makes none.
func (*Mounts) Disk(string) (*Disk, error) { return nil, errElsewhere }

// Fill does nothing.
func (*Disk) Fill() error { return errElsewhere }

// Free does nothing.
func (*Disk) Free() error { return errElsewhere }

// Close does nothing.
func (*Disk) Close() error { return errElsewhere }
