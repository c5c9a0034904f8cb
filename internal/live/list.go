package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// askTime is how long a weir may take to answer.
	askTime = 2 * time.Second

	// birthTime is how old a socket must be to be taken for left behind: a younger
	// one may not be listened at yet.
	birthTime = 10 * time.Second

	// maxAsked is how many sockets are asked.
	maxAsked = 256
)

// List asks all running weirs how they are, at once, and returns what they said,
// the oldest first. unanswered are why some did not, one error each. Sockets that
// nobody listens at any more are removed.
func List(ctx context.Context, places Places) (weirs []*Weir, unanswered []error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var (
		mu  sync.Mutex
		all sync.WaitGroup
	)
	for _, path := range places.sockets() {
		all.Go(func() {
			w, err := ask(ctx, path)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				weirs = append(weirs, w)
			case isAbandoned(err):
				sweep(path)
			default:
				unanswered = append(unanswered, fmt.Errorf("asking the weir %s: %w", strings.TrimSuffix(filepath.Base(path), ext), err))
			}
		})
	}
	all.Wait()
	slices.SortFunc(weirs, func(a, b *Weir) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.PID, b.PID)) })
	return weirs, unanswered
}

// sockets are those in the places that are the user's own.
func (p Places) sockets() (paths []string) {
	for _, dir := range p.all() {
		if isOwn(dir) != nil {
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ext) && len(paths) < maxAsked {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	return paths
}

func ask(ctx context.Context, path string) (*Weir, error) {
	document, err := inquire(ctx, path, question{})
	if err != nil {
		return nil, err
	}
	return decode(document)
}

// Restart tells the weir of a process to end a server, and to start it anew when it
// is needed next. The error says why it did not, for people.
func Restart(ctx context.Context, places Places, pid int, server string) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for _, path := range places.sockets() {
		if !strings.HasPrefix(filepath.Base(path), fmt.Sprintf("%d-", pid)) {
			continue
		}
		document, err := inquire(ctx, path, question{Restart: server})
		if isAbandoned(err) {
			continue // another's, who had this number once
		}
		var o outcome
		if err == nil {
			err = json.Unmarshal(document, &o)
		}
		switch {
		case err != nil:
			return fmt.Errorf("asking the weir %d: %w", pid, err)
		case o.Error != "":
			return errors.New(o.Error)
		}
		return nil
	}
	return fmt.Errorf("the weir %d does not run any more", pid)
}

// inquire asks at one socket.
func inquire(ctx context.Context, path string, q question) ([]byte, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if at, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(at); err != nil {
			return nil, err
		}
	}
	line, err := q.line()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(line); err != nil {
		return nil, err
	}
	document, err := io.ReadAll(io.LimitReader(conn, maxDocument+1))
	switch {
	case err != nil:
		return nil, err
	case len(document) == 0:
		return nil, errors.New("it has ended, or does not answer this user")
	case len(document) > maxDocument:
		return nil, errors.New("its answer is too long")
	}
	return document, nil
}

// errRefusedOnWindows is WSAECONNREFUSED, which syscall.ECONNREFUSED does not stand
// for there; elsewhere it is no error at all.
const errRefusedOnWindows = syscall.Errno(10061)

// isAbandoned reports whether an error of connecting says that nobody listens.
func isAbandoned(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errRefusedOnWindows) || errors.Is(err, fs.ErrNotExist)
}

// sweep removes a socket that was left behind. What is no socket stays.
func sweep(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&(fs.ModeSocket|fs.ModeIrregular) == 0 || time.Since(info.ModTime()) < birthTime {
		return
	}
	_ = os.Remove(path)
}
