package process

import "errors"

// guarded: the Job Objects of the children end with weir.
const guarded = false

func startWatch([]string) (*watch, error) { return nil, errors.ErrUnsupported }

// GuardianMain is for other systems.
func GuardianMain() {}

func startOf(int) string { return "" }
