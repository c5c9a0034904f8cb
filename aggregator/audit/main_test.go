package audit

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// TestMain lets the test binary be one of several processes that append to one
// file: its arguments are "append", the path, the number of the process, how
// many records it writes, and at which size the file is rotated.
func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "append" {
		os.Exit(appendRecords(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func appendRecords(args []string) int {
	count, _ := strconv.Atoi(args[2])
	size, _ := strconv.ParseInt(args[3], 10, 64)
	code := 0
	l := Open(Config{Path: args[0], MaxSize: size, Keep: maxRotated, Report: func(err error) {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}})
	for i := range count {
		r := full()
		r.Name = args[1] + ":" + strconv.Itoa(i)
		l.Write(&r)
		if i%50 == 0 {
			l.Flush() // many small writes meet more often than few large ones
		}
	}
	if err := l.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
