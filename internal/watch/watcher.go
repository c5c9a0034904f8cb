package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// lookEvery is how often files are looked at of which the system does not tell.
const lookEvery = 2 * time.Second

// A Watcher tells that something has happened to files. Its methods are for one
// goroutine, but for Happened.
type Watcher struct {
	happened chan struct{}
	report   func(error)
	every    time.Duration
	silent   func(folder string) bool
	notifier *fsnotify.Watcher // nil if there is none
	why      error             // that there is none

	places atomic.Pointer[places] // present; never nil

	mu      sync.Mutex
	paths   []string
	looks   []appearance // of paths, when last looked at; nil while the system tells of all of them
	blind   bool         // it was reported that it does not
	looking chan struct{}
	end     chan struct{}
	done    sync.WaitGroup
}

// New returns a Watcher of nothing. report is told, once, why files are looked at
// again and again instead of being watched; it must not block. The caller closes
// the Watcher.
func New(report func(error)) *Watcher {
	return newWatcher(report, fsnotify.NewWatcher, silent, lookEvery)
}

func newWatcher(
	report func(error), notifier func() (*fsnotify.Watcher, error), silent func(string) bool, every time.Duration,
) *Watcher {
	w := &Watcher{
		happened: make(chan struct{}, 1), report: report, every: every, silent: silent,
		looking: make(chan struct{}, 1), end: make(chan struct{}),
	}
	w.places.Store(&places{})
	if w.notifier, w.why = notifier(); w.why == nil {
		// It holds its own lock while it waits for an error to be read, so events are
		// read by a goroutine that does nothing else.
		w.done.Go(w.listen)
	}
	w.done.Go(w.look)
	return w
}

// Happened holds a token whenever something may have happened since the last one
// was taken.
func (w *Watcher) Happened() <-chan struct{} { return w.happened }

// Follow watches the files at these absolute paths, which need not be there, and
// no others. It is to be called again, with the same paths or others, when
// something has happened and before the files are looked at: then nothing that
// happens afterwards is missed. Where it watches what it did not before it tells
// of that, as nobody knows what has happened there.
func (w *Watcher) Follow(paths []string) {
	blind := w.follow(paths)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paths = slices.Clone(paths)
	if blind == nil {
		w.looks = nil
		return
	}
	if w.looks = looksAt(paths); !w.blind {
		w.blind = true
		w.report(blind)
	}
	poke(w.looking)
}

// Close ends it. Nothing is told afterwards.
func (w *Watcher) Close() {
	close(w.end)
	if w.notifier != nil {
		_ = w.notifier.Close() // it is not read any more
	}
	w.done.Wait()
}

// tries is how often the way to files may change while it is followed.
const tries = 10

// follow watches what leads to the paths. The error is why not all of that can be
// watched, or is of no use.
func (w *Watcher) follow(paths []string) error {
	for range tries {
		p := placesOf(paths)
		if !w.places.Swap(p).same(p) {
			poke(w.happened)
		}
		err := w.watch(p.folders)
		if !errors.Is(err, fs.ErrNotExist) && placesOf(paths).same(p) {
			return err
		}
	}
	return errors.New("watching files: folders come and go")
}

// watch makes the notifier watch these folders and no others.
func (w *Watcher) watch(folders []string) error {
	if w.notifier == nil {
		return fmt.Errorf("watching files: %w", w.why)
	}
	watched := w.notifier.WatchList()
	for _, folder := range watched {
		if !slices.Contains(folders, folder) {
			_ = w.notifier.Remove(folder) // it may be gone, and the watch with it
		}
	}
	var blind error
	for _, folder := range folders {
		if w.silent(folder) {
			blind = errors.New("watching files: the system does not tell of all that happens in their folder")
			continue
		}
		if slices.Contains(watched, folder) {
			continue
		}
		if err := w.notifier.Add(folder); err != nil {
			blind = fmt.Errorf("watching files: %w", err)
			continue
		}
		poke(w.happened)
	}
	return blind
}

// listen tells of what the notifier tells of. What was lost by it, nobody knows.
func (w *Watcher) listen() {
	for {
		select {
		case event, ok := <-w.notifier.Events:
			switch {
			case !ok:
				return
			case w.places.Load().concern(event.Name):
				poke(w.happened)
			}
		case _, ok := <-w.notifier.Errors:
			if !ok {
				return
			}
			poke(w.happened)
		}
	}
}

// look looks at the files every few seconds, while that is of use.
func (w *Watcher) look() {
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	ticker.Stop()
	for {
		select {
		case <-w.end:
			return
		case <-w.looking:
			ticker.Reset(w.every)
		case <-ticker.C:
			if !w.lookAgain() {
				ticker.Stop()
			}
		}
	}
}

// lookAgain reports whether there is anything to look at.
func (w *Watcher) lookAgain() bool {
	w.mu.Lock()
	paths, before := w.paths, w.looks
	w.mu.Unlock()
	if before == nil {
		return false
	}
	now := looksAt(paths)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.EqualFunc(before, now, appearance.same) {
		w.looks = now
		poke(w.happened)
	}
	return true
}

// An appearance is what a file looks like from outside; nil if it is not there.
type appearance struct{ os.FileInfo }

func looksAt(paths []string) []appearance {
	looks := make([]appearance, len(paths))
	for i, path := range paths {
		looks[i].FileInfo, _ = os.Stat(path) // one that cannot be seen looks like none
	}
	return looks
}

func (l appearance) same(other appearance) bool {
	if l.FileInfo == nil || other.FileInfo == nil {
		return l.FileInfo == nil && other.FileInfo == nil
	}
	return os.SameFile(l.FileInfo, other.FileInfo) && l.Size() == other.Size() && l.ModTime().Equal(other.ModTime()) && l.Mode() == other.Mode()
}

// poke sees to it that there is a token in c, which has room for one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
