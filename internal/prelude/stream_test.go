package prelude

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func toldOf(id, reply, notice string) told {
	behind := strings.TrimPrefix(reply, replyHead+id)
	sum := sha256.Sum256([]byte(behind))
	return told{id: []byte(id), sum: sum[:], notice: []byte(notice)}
}

// However the session's lines are cut into writes, the host gets each answer once.
func TestOutput(t *testing.T) {
	const (
		one      = `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n"
		two      = `{"jsonrpc":"2.0","id":"b","result":{"tools":[]}}` + "\n"
		other    = `{"jsonrpc":"2.0","id":"b","result":{"tools":[1]}}` + "\n"
		refused  = `{"jsonrpc":"2.0","id":"b","error":{"code":1}}` + "\n"
		question = `{"jsonrpc":"2.0","id":1,"method":"roots/list"}` + "\n"
		eleven   = `{"jsonrpc":"2.0","id":11,"result":{}}` + "\n"
		message  = `{"jsonrpc":"2.0","method":"notifications/message"}` + "\n"
		notice   = `{"changed":true}` + "\n"
	)
	for name, test := range map[string]struct{ written, want string }{
		"the same answers":           {one + two, ""},
		"answers in another order":   {two + one, ""},
		"what comes behind":          {one + two + message + one, message + one},
		"what comes between":         {message + one + question + eleven + two, message + question + eleven},
		"a list that has changed":    {one + other + message, notice + message},
		"a list that is refused":     {one + refused, notice},
		"something else than before": {eleven + "x\n" + one + two, eleven + "x\n"},
		"no answer":                  {message + question, message + question},
		"half a line":                {one + `{"jsonrpc":"2.0","id":"b","result":{`, ""},
		"a line that ends early":     {`{"jsonrpc":"2.0","id":1` + "\n" + one + two, `{"jsonrpc":"2.0","id":1` + "\n"},
	} {
		for cut := range len(test.written) {
			for _, size := range []int{1, 7, 1000} {
				p := &Performance{told: []told{toldOf("1", one, ""), toldOf(`"b"`, two, notice)}}
				var got bytes.Buffer
				out := p.Output(&got)
				fmt.Fprint(out, test.written[:cut])
				for rest := test.written[cut:]; rest != ""; {
					n := min(size, len(rest))
					m, err := out.Write([]byte(rest[:n]))
					if m != n || err != nil {
						t.Fatalf("%s: wrote %d of %d, %v", name, m, n, err)
					}
					rest = rest[n:]
				}
				if got.String() != test.want {
					t.Fatalf("%s, cut at %d by %d: got %q, want %q", name, cut, size, got.String(), test.want)
				}
			}
		}
	}
}

// A trying is a stream that can write without waiting.
type trying struct {
	bytes.Buffer

	tried int
}

func (w *trying) TryWrite(p []byte) (int, error) {
	w.tried++
	return w.Write(p)
}

// While there is something to take out, nothing is written without waiting: it
// would not be known how much of it went.
func TestOutputTries(t *testing.T) {
	p := &Performance{told: []told{toldOf("1", "{}", "")}, rest: []byte("rest\n")}
	dst := &trying{}
	out := p.Output(dst)
	try, ok := out.(tryWriter)
	if !ok {
		t.Fatal("what can write without waiting cannot any more")
	}
	line := []byte(replyHead + `1,"result":{}}` + "\n")
	if n, err := try.TryWrite(line); n != 0 || err != nil {
		t.Errorf("got %d, %v, want nothing written", n, err)
	}
	if _, err := out.Write(line); err != nil {
		t.Fatal(err)
	}
	if n, err := try.TryWrite([]byte("x\n")); n != 2 || err != nil {
		t.Errorf("got %d, %v, want all written", n, err)
	}
	if got := dst.String(); got != "rest\nx\n" || dst.tried != 1 {
		t.Errorf("got %q after %d tries", got, dst.tried)
	}
	if _, ok := (&Performance{rest: []byte("x")}).Output(&bytes.Buffer{}).(tryWriter); ok {
		t.Error("what cannot write without waiting can")
	}
	var nobody *Performance
	if nobody.Output(dst) != dst {
		t.Error("a stream is wrapped where nothing was told")
	}
}

// failing is a stream that fails.
type failing struct{ left int }

var errFailing = errors.New("failing")

func (w *failing) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, errFailing
	}
	return n, nil
}

func TestOutputFails(t *testing.T) {
	for left := range 10 {
		p := &Performance{told: []told{toldOf("1", "{}", "notice\n")}, rest: []byte("rest\n")}
		out := p.Output(&failing{left: left})
		if _, err := out.Write([]byte(replyHead + `1,"error":{}}` + "\n")); !errors.Is(err, errFailing) {
			t.Errorf("with room for %d bytes: got %v, want the failure", left, err)
		}
	}
}

func TestInputIsWhatItReads(t *testing.T) {
	var nobody *Performance
	in := nobody.Input(strings.NewReader(strings.Repeat("x", maxHeard)))
	if err := in.SetReadDeadline(time.Time{}); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("got %v, want that there are no deadlines", err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	in = nobody.Input(r)
	if err := in.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Error(err)
	}
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want a closed file", err)
	}
}

func TestHeardIsBounded(t *testing.T) {
	var nobody *Performance
	in := nobody.Input(strings.NewReader("a\n" + strings.Repeat("x", maxHeard)))
	room := make([]byte, 2)
	if _, err := in.Read(room); err != nil {
		t.Fatal(err)
	}
	if got := in.Heard(); len(got) != 1 || string(got[0]) != "a" {
		t.Errorf("heard %q", got)
	}
	room = make([]byte, maxHeard)
	if _, err := in.Read(room); err != nil {
		t.Fatal(err)
	}
	if len(in.heard) > maxHeard {
		t.Errorf("%d bytes are kept, want %d at most", len(in.heard), maxHeard)
	}
	in.Enough()
	if got := in.Heard(); got != nil {
		t.Errorf("after it was enough: %q", got)
	}
}
