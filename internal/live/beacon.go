package live

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// answerTime is how long who asks may take to read the answer. They are answered
// one after the other.
const answerTime = time.Second

// A Beacon is the socket of this process. A nil Beacon is none.
type Beacon struct {
	listener *net.UnixListener
	passing  string // the folder of the socket, where that goes with it; "" where it stays
	weir     Asked
	done     sync.WaitGroup

	mu   sync.Mutex
	conn *net.UnixConn // who is being answered; nil for nobody
	out  bool
}

// Asked is the weir behind a Beacon. Its methods are called by one goroutine.
type Asked interface {
	// Tell says how the weir is.
	Tell() *Weir

	// Restart ends a server, and starts it anew when it is needed next. The error is
	// for people.
	Restart(server string) error
}

// Light opens the socket, and answers at it until the Beacon is put out.
func Light(places Places, weir Asked) (*Beacon, error) {
	path, listener, err := places.listen()
	if errors.Is(err, fs.ErrNotExist) {
		path, listener, err = places.listen() // who went took the folder along
	}
	if err != nil {
		return nil, err
	}
	b := &Beacon{listener: listener, weir: weir}
	if dir := filepath.Dir(path); dir == places.short {
		b.passing = dir
	}
	_ = os.Chmod(path, 0o600) // the folder is closed already
	b.done.Go(b.serve)
	return b, nil
}

func (p Places) listen() (path string, listener *net.UnixListener, err error) {
	if path, err = p.prepare(); err != nil {
		return "", nil, err
	}
	listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	return path, listener, err
}

// Out closes the socket, takes it away, and returns when nobody is answered any
// more, which is at once. It may be called again.
func (b *Beacon) Out() {
	if b == nil {
		return
	}
	_ = b.listener.Close() // which removes it
	b.mu.Lock()
	b.out = true
	if b.conn != nil {
		_ = b.conn.Close()
	}
	b.mu.Unlock()
	b.done.Wait()
	if b.passing != "" {
		_ = os.Remove(b.passing) // unless others have sockets in it
	}
}

func (b *Beacon) serve() {
	for {
		conn, err := b.listener.AcceptUnix()
		if err != nil {
			return
		}
		if b.take(conn) {
			b.answer(conn)
		}
		b.drop(conn)
	}
}

// take makes conn the one that is being answered. It reports false if the Beacon
// is out.
func (b *Beacon) take(conn *net.UnixConn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = conn
	return !b.out
}

func (b *Beacon) drop(conn *net.UnixConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = nil
	_ = conn.Close()
}

func (b *Beacon) answer(conn *net.UnixConn) {
	if !isUser(conn) || conn.SetDeadline(time.Now().Add(answerTime)) != nil {
		return
	}
	q, err := readQuestion(conn)
	if err != nil {
		return // nobody of ours asks like that
	}
	document, err := encode(b.reply(q))
	if err != nil || len(document) > maxDocument || conn.SetDeadline(time.Now().Add(answerTime)) != nil {
		return
	}
	_, _ = conn.Write(document) // who does not read it goes without
}

func (b *Beacon) reply(q question) any {
	if q.Restart == "" {
		return b.weir.Tell()
	}
	if err := b.weir.Restart(q.Restart); err != nil {
		return outcome{err.Error()}
	}
	return outcome{}
}
