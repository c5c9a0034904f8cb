package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// places are the folders of one test. The temp folder is empty when the test
// begins and when it ends. Its name, and that of the home, are the marks by which
// the processes that weir started are known: TMPDIR and HOME reach them all, or
// at least one does where a host strips the environment.
type places struct{ home, temp, cache, config, state string }

func newPlaces(root string) (places, error) {
	p := places{
		home: filepath.Join(root, "home"), temp: filepath.Join(root, "temp"), cache: filepath.Join(root, "cache"),
		config: filepath.Join(root, "config"), state: filepath.Join(root, "state"),
	}
	for _, dir := range []string{p.home, p.temp, p.cache, p.config, p.state} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return p, err
		}
	}
	return p, nil
}

// testPlaces makes places for a test and checks at its end that nothing is
// left there.
func testPlaces(t *testing.T) places {
	t.Helper()
	p, err := newPlaces(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.nothingLeft(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p places) environment() map[string]string {
	return map[string]string{
		// With the race detector a process would sleep for a second at its end.
		"GORACE": "atexit_sleep_ms=0",
		"HOME":   p.home, "TMPDIR": p.temp,
		"XDG_CACHE_HOME": p.cache, "XDG_CONFIG_HOME": p.config, "XDG_STATE_HOME": p.state,
	}
}

// nothingLeft reports processes and temp files. Processes get the five seconds
// that none may outlive weir by.
func (p places) nothingLeft() error {
	var processes []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if processes = withEnvironment("TMPDIR="+p.temp, "HOME="+p.home); len(processes) == 0 || time.Now().After(end) {
			break
		}
	}
	var errs []error
	for _, process := range processes {
		errs = append(errs, fmt.Errorf("process left: %s", process))
	}
	files, err := os.ReadDir(p.temp)
	if err != nil {
		errs = append(errs, err)
	}
	for _, file := range files {
		errs = append(errs, fmt.Errorf("temp file left: %s", file.Name()))
	}
	return errors.Join(errs...)
}

// withEnvironment lists the processes in whose environment one of these entries
// stands. It knows none where there is no /proc.
func withEnvironment(entries ...string) []string {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	var found []string
	for _, folder := range folders {
		environment, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil {
			continue // it has ended meanwhile, or is another user's
		}
		for variable := range bytes.SplitSeq(environment, []byte{0}) {
			if !slices.Contains(entries, string(variable)) {
				continue
			}
			command, err := os.ReadFile(filepath.Join(folder, "cmdline"))
			if err == nil && filepath.Base(folder) != strconv.Itoa(os.Getpid()) {
				found = append(found, filepath.Base(folder)+" "+string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
			}
			break
		}
	}
	return found
}
