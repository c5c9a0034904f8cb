package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Many stores over one folder that does not exist yet agree on the key, and
// what one adds no other loses.
func TestStoresTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "weir")
	var stores sync.WaitGroup
	for i := range maxVariants {
		stores.Go(func() {
			s, err := OpenStore(t.Context(), dir)
			if err == nil {
				v := Variant{Capabilities: fmt.Sprint(i)}
				err = s.Save(t.Context(), github, v, listsOf(t, fmt.Sprint(i)), noon)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	stores.Wait()
	s := open(t, dir)
	for i := range maxVariants {
		if got := load(t, s, github, Variant{Capabilities: fmt.Sprint(i)}); !got.Exact {
			t.Errorf("variant %d: got %+v, want it kept", i, got)
		}
	}
}

// The same with processes; and who reads meanwhile always finds whole lists.
func TestStoreProcessesTogether(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var children sync.WaitGroup
	for range 3 {
		children.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), writerEnv+"="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("writer: %v\n%s", err, out)
			}
		})
	}
	done := make(chan struct{})
	go func() { children.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		for _, found := range s.LoadAll([]Wanted{{github, modern}, {files, modern}}, noon) {
			if found.Err != nil {
				t.Error(found.Err)
			}
		}
	}
	for i := range 4 {
		if got := load(t, s, files, Variant{Capabilities: fmt.Sprint(i)}); !got.Exact {
			t.Errorf("variant %d: got %+v, want it kept", i, got)
		}
	}
}

// writeMany is the life of a writer process.
func writeMany(dir string) int {
	s, err := OpenStore(context.Background(), dir)
	for i := 0; err == nil && i < 12; i++ {
		tool, parseErr := ParseItem(Tools, definition(i))
		lists := &Lists{Tools: List{Items: []Item{tool}, Fetched: noon}}
		key := []Key{github, files}[i%2]
		err = errors.Join(parseErr, s.Save(context.Background(), key, Variant{Capabilities: fmt.Sprint(i % 8 / 2)}, lists, noon))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
