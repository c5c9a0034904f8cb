package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const linesLimit = 1 << 20

// recorder is a Receiver that writes down what it gets.
type recorder struct {
	mu     sync.Mutex
	events []string
	stderr []string
}

func (r *recorder) Receive(_ *jsonrpc.Batch, m *jsonrpc.Message, origin uint64) {
	r.note(fmt.Sprintf("%d %s", origin, m.Raw))
}

func (r *recorder) Malformed(_ *jsonrpc.Batch, id []byte, err error) {
	r.note(fmt.Sprintf("malformed %s: %v", id, err))
}

func (r *recorder) Failed(out *Outgoing, err error) {
	r.note(fmt.Sprintf("failed %d: %v", out.ID, err))
}

func (r *recorder) Missed() { r.note("missed") }

func (r *recorder) note(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

func (r *recorder) Stderr(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stderr = append(r.stderr, string(line))
}

func (r *recorder) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

func line(text string) *Outgoing {
	// Two pieces, as a spliced message has.
	return &Outgoing{Pieces: [][]byte{[]byte(text[:len(text)/2]), []byte(text[len(text)/2:])}}
}

func TestLinesReceive(t *testing.T) {
	const (
		response = `{"jsonrpc":"2.0","id":1,"result":{"b":1,"a":9007199254740993,"a":"<&>"}}`
		notice   = `{"jsonrpc":"2.0","method":"notifications/message"}`
	)
	long := strings.Repeat("x", linesLimit)
	tests := []struct {
		name  string
		input string
		want  []string
	}{
		{"messages", response + "\n" + notice + "\r\n\n", []string{"0 " + response, "0 " + notice}},
		{"last line without an end", notice, []string{"0 " + notice}},
		{"byte order mark", "\uFEFF" + notice + "\n", []string{"0 " + notice}},
		{"half a line at the end", `{"jsonrpc":"2.0","id":5,"res`, []string{"malformed 5: invalid JSON at byte 28: string ends early"}},
		{"banner", "Server 5 running\n" + notice + "\n", []string{"malformed : invalid JSON at byte 0: want a value", "0 " + notice}},
		{"log line that quotes a message", `got {"jsonrpc":"2.0","id":5,"result":{}}` + "\n", []string{"malformed : invalid JSON at byte 0: want a value"}},
		{"broken message", `{"result":{,},"jsonrpc":"2.0","id":"x"}` + "\n", []string{`malformed "x": invalid JSON at byte 11: want a member name`}},
		{"no UTF-8", "{\"jsonrpc\":\"2.0\",\"result\":\"\xff\",\"id\":7}\n" + notice + "\n", []string{"malformed 7: invalid JSON at byte 27: text is not UTF-8", "0 " + notice}},
		{"JSON but no message", "42\n" + `{"jsonrpc":"2.0","id":8}` + "\n", []string{
			"malformed : invalid message: want an object",
			"malformed 8: invalid message: want a method, or an id and one of result and error",
		}},
		{"wrong id", `{"jsonrpc":"2.0","id":null,"result":{}}` + "\n", []string{"malformed : invalid message: id must be a string or an integer"}},
		{"too long", `{"jsonrpc":"2.0","result":"` + long + `","id":9}` + "\n" + notice + "\n", []string{"malformed 9: message is longer than 1048576 bytes", "0 " + notice}},
		{"batch", "[" + response + ", " + notice + ",7]\n" + notice + "\n", []string{
			"0 " + response, "0 " + notice, "malformed : invalid message: want an object", "0 " + notice,
		}},
		{"batches that are none", "[]\n[[]]\n", []string{
			"malformed : invalid message: batch is empty", "malformed : invalid message: a batch in a batch",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := Memory()
				var recv recorder
				c := NewLines(near, &recv, linesLimit)
				if _, err := io.WriteString(far.Output(), tt.input); err != nil {
					t.Error(err)
				}
				far.Close()
				<-c.Done()
				if diff := cmp.Diff(tt.want, recv.got()); diff != "" {
					t.Errorf("received (-want +got)\n%s", diff)
				}
				if err := c.Err(); !errors.Is(err, ErrPeerClosed) {
					t.Errorf("got %v, want %v", err, ErrPeerClosed)
				}
			})
		})
	}
}

func TestLinesBatchTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := Memory()
		var recv recorder
		c := NewLines(near, &recv, 2*batchLimit)
		_, _ = io.WriteString(far.Output(), "["+strings.Repeat("0,", batchLimit/2)+"0]\n")
		far.Close()
		<-c.Done()
		if diff := cmp.Diff([]string{"malformed : invalid message: batch is too long"}, recv.got()); diff != "" {
			t.Errorf("received (-want +got)\n%s", diff)
		}
	})
}

func TestLinesSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := Memory()
		c := NewLines(near, &recorder{}, linesLimit)
		large := `{"` + strings.Repeat("y", 3*jsonrpc.Large) + `":1}`
		var b jsonrpc.Batch
		for _, text := range []string{`{"id":1}`, large, `{"id":2}`} {
			if err := c.Send(&b, line(text)); err != nil {
				t.Fatal(err)
			}
		}
		b.Flush()
		if err := c.Send(nil, line(`{"id":3}`)); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(far.Input())
		for _, want := range []string{`{"id":1}`, large, `{"id":2}`, `{"id":3}`} {
			if got, err := lines.ReadString('\n'); got != want+"\n" {
				t.Errorf("got line %.40q (%v), want %.40q", got, err, want)
			}
		}
		if !c.Abandon(1) {
			t.Error("got false, want the server to be told")
		}
		c.Close()
		<-c.Done()
		if err := c.Send(nil, line(`{}`)); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v after Close, want %v", err, ErrClosed)
		}
	})
}

func TestLinesCongested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := Memory() // nobody reads
		c := NewLines(near, &recorder{}, linesLimit)
		out := &Outgoing{Pieces: [][]byte{bytes.Repeat([]byte("z"), linesLimit)}}
		sent := 0
		var err error
		for err == nil && sent < 100 {
			if err = c.Send(nil, out); err == nil {
				sent++
			}
		}
		if sent != 4 || !errors.Is(err, ErrCongested) {
			t.Errorf("got %d messages sent, then %v, want 4, then %v", sent, err, ErrCongested)
		}
		if c.Err() != nil {
			t.Errorf("got %v, want a connection that is good", c.Err())
		}
		c.Close()
		<-c.Done()
	})
}

// A server that stops reading but keeps its own side open is lost too.
func TestLinesInputClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fromServer, _ := io.Pipe()
		toServer, out := io.Pipe()
		c := NewLines(Pipes(fromServer, out), &recorder{}, linesLimit)
		_ = toServer.Close()
		_ = c.Send(nil, line(`{"id":1}`))
		<-c.Lost() // no further message is needed to notice
		if err := c.Send(nil, line(`{"id":2}`)); err == nil {
			t.Error("got no error for a message that cannot be written")
		}
		<-c.Done()
		if c.Err() == nil {
			t.Error("got no reason")
		}
	})
}

func TestLinesCloseManyTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := Memory()
		c := NewLines(near, &recorder{}, linesLimit)
		var closes sync.WaitGroup
		for range 8 {
			closes.Go(c.Close)
		}
		closes.Wait()
		<-c.Lost()
		<-c.Done()
		if err := c.Err(); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v, want %v", err, ErrClosed)
		}
	})
}

// What is read is never what brings weir down.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"", "{}\n", "[[]]\n[]", `{"jsonrpc":"2.0","id":1,"result":{}}`, "\xff\n\n{\"id\":\"\\ud83d\"", "[1,{\"id\":2}]\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		near, far := Memory()
		var recv recorder
		c := NewLines(near, &recv, 1<<10)
		_, _ = far.Output().Write(input)
		far.Close()
		<-c.Done()
		if got := len(recv.got()); got > len(input) {
			t.Errorf("got %d events from %d bytes", got, len(input))
		}
	})
}
