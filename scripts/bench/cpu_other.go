//go:build !linux

package main

import (
	"errors"
	"fmt"
	"time"
)

// cpu is not known of another process, as its memory is not: what is
// measured here is measured on Linux.
func (d *driver) cpu() (time.Duration, error) {
	return 0, fmt.Errorf("reading the processor time of a gateway: %w", errors.ErrUnsupported)
}
