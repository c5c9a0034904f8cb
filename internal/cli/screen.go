package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A screen is a terminal whose every key is read at once, and which is given back
// as it was.
type screen struct {
	in     *os.File
	out    io.Writer
	before *term.State // nil while the screen is left
}

// openScreen takes the terminal. Close it.
func openScreen(in *os.File, out io.Writer) (*screen, error) {
	s := &screen{in: in, out: out}
	if err := s.enter(); err != nil {
		return nil, err
	}
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l") // a page of its own, without the cursor
	s.clear()
	return s, nil
}

func (s *screen) close() {
	fmt.Fprint(s.out, "\x1b[?25h\x1b[?1049l")
	_ = s.restore() // nobody is left to tell
}

// leave gives the terminal to another program, until enter.
func (s *screen) leave() error {
	fmt.Fprint(s.out, "\x1b[?25h\x1b[H\x1b[2J")
	return s.restore()
}

// enter has every key read at once.
func (s *screen) enter() (err error) {
	if s.before, err = term.MakeRaw(int(s.in.Fd())); err != nil {
		return fmt.Errorf("taking the terminal: %w", err)
	}
	return nil
}

func (s *screen) restore() error {
	if s.before == nil {
		return nil
	}
	before := s.before
	s.before = nil
	return term.Restore(int(s.in.Fd()), before)
}

func (s *screen) clear() { fmt.Fprint(s.out, "\x1b[?25l\x1b[H\x1b[2J") }

// size is that of the terminal now, or a common one where it does not say.
func (s *screen) size() (width, height int) {
	width, height, err := term.GetSize(int(s.in.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// show writes the lines over those that are there.
func (s *screen) show(lines []string) {
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(s.out, b.String()) // nobody is left to tell
}

// A key is one that does something; keyNone is any other.
type key int

const (
	keyNone key = iota
	keyUp
	keyDown
	keyRestart
	keyEnable
	keyLogin
	keyApprove
	keyQuit
)

// keyOf says what was typed: a letter, or what a terminal sends for an arrow.
func keyOf(typed string) key {
	switch typed {
	case "\x1b[A", "\x1bOA", "k":
		return keyUp
	case "\x1b[B", "\x1bOB", "j":
		return keyDown
	case "r":
		return keyRestart
	case "e":
		return keyEnable
	case "l":
		return keyLogin
	case "a":
		return keyApprove
	case "q", "\x1b", "\x03", "\x04":
		return keyQuit
	}
	return keyNone
}

// nextKey takes the first key out of what was typed.
func nextKey(typed string) (first key, rest string) {
	n := 1
	if strings.HasPrefix(typed, "\x1b[") || strings.HasPrefix(typed, "\x1bO") {
		n = min(3, len(typed))
	}
	return keyOf(typed[:n]), typed[n:]
}

// keys are read one by one, each when it is asked for: what is typed for another
// program is left to that. They are for one goroutine.
type keys struct {
	wanted chan struct{}
	typed  chan key
	asked  bool // for the next one
}

// keys begins to read keys, until ctx ends. A read from a terminal that is under
// way cannot be ended: it ends with the process.
func (s *screen) keys(ctx context.Context) *keys {
	k := &keys{wanted: make(chan struct{}, 1), typed: make(chan key)}
	go func() {
		defer close(k.typed)
		var room [32]byte
		typed := ""
		for {
			select {
			case <-k.wanted:
			case <-ctx.Done():
				return
			}
			if typed == "" {
				n, err := s.in.Read(room[:])
				if err != nil {
					return
				}
				typed = string(room[:n])
			}
			var next key
			next, typed = nextKey(typed)
			select {
			case k.typed <- next:
			case <-ctx.Done():
				return
			}
		}
	}()
	return k
}

// pressed returns where the next key comes; it is closed when none will. Who has
// received one says so by taken.
func (k *keys) pressed() <-chan key {
	if !k.asked {
		k.asked = true
		k.wanted <- struct{}{}
	}
	return k.typed
}

func (k *keys) taken() { k.asked = false }
