package jsonrpc

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// lender reads lines of these sizes, each of another letter.
func lender(sizes ...int) *Reader {
	var text []byte
	for i, size := range sizes {
		text = append(append(text, bytes.Repeat([]byte{byte('a' + i)}, size)...), '\n')
	}
	return NewReader(&chunked{text: text, sizes: []byte{255}}, 1<<30, nil)
}

func mustNext(t *testing.T, r *Reader) []byte {
	t.Helper()
	line, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (s *spare) hasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.room != nil
}

// Room that is given back is that of the next large line; what is kept is never
// written into.
func TestLoan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := lender(3<<20, 3<<20, 2<<20, 3<<20, 10)
		first := mustNext(t, r)
		r.Loan().GiveBack()
		second := mustNext(t, r)
		if &second[0] != &first[0] {
			t.Error("the second line has other room than was given back")
		}
		third := mustNext(t, r) // the second is kept
		loan := r.Loan()
		if r.Loan() != nil {
			t.Error("a line was lent twice")
		}
		loan.GiveBack()
		if fourth := mustNext(t, r); &fourth[0] == &second[0] || len(fourth) != 3<<20 {
			t.Errorf("the fourth line, of %d bytes, has the room of the second, which is kept", len(fourth))
		}
		if &third[0] == &second[0] || !bytes.Equal(second, bytes.Repeat([]byte{'b'}, 3<<20)) {
			t.Error("the second line has changed")
		}
		if mustNext(t, r); r.Loan() != nil {
			t.Error("a small line is on loan")
		}
	})
}

// Room that nobody asks for is let go, and so is that of a line which nobody has
// lent.
func TestLoanEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		r := NewReader(in, 1<<30, nil)
		line := append(bytes.Repeat([]byte("x"), 2<<20), '\n')
		next := make(chan error)
		for _, gives := range []bool{true, false} {
			go func() {
				_, err := r.Next()
				if gives {
					r.Loan().GiveBack()
				}
				next <- err
			}()
			if _, err := out.Write(line); err != nil {
				t.Fatal(err)
			}
			if err := <-next; err != nil {
				t.Fatal(err)
			}
			if has := r.spare.hasRoom(); has != gives {
				t.Errorf("given back: %v, there: %v", gives, has)
			}
			<-time.After(spareTime + 1)
			synctest.Wait()
			if r.spare.hasRoom() {
				t.Error("the room is still there when its time is over")
			}
		}
		go func() {
			_, err := r.Next()
			next <- err
		}()
		synctest.Wait()
		if r.loan != nil {
			t.Error("the last line is held while nothing comes")
		}
		_ = out.Close()
		if err := <-next; !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

// A line over the limit leaves its room for the next.
func TestLoanOfLineTooLong(t *testing.T) {
	r := lender(1<<20, 1<<20)
	r.SetLimit(1<<20 - 1)
	if _, err := r.Next(); err == nil || !r.spare.hasRoom() {
		t.Errorf("got %v, with room: %v", err, r.spare.hasRoom())
	}
	r.spare.take(0) // and with it the timer
}

// lent is a loan whose end can be seen.
func lent() (loan *Loan, ended func() bool) {
	loan = &Loan{spare: new(spare), room: make([]byte, Large)}
	return loan, loan.spare.hasRoom
}

func TestQueueLent(t *testing.T) {
	large := bytes.Repeat([]byte("x"), Large)
	synctest.Test(t, func(t *testing.T) {
		dst := newBlocked()
		w := NewWriter(dst)
		loan, ended := lent()
		// The two large pieces are the second and the fourth write.
		if err := w.QueueLent(nil, loan, []byte("a"), large, []byte("b"), large, []byte("c")); err != nil {
			t.Fatal(err)
		}
		queue(t, w, nil, "d")
		for write := range 5 {
			synctest.Wait()
			if got, want := ended(), write > 3; got != want {
				t.Errorf("after %d writes: loan has ended: %v, want %v", write, got, want)
			}
			dst.goOn <- nil
		}
		w.Drain()
		small, ended := lent()
		if err := w.QueueLent(nil, small, []byte("copied")); err != nil || !ended() {
			t.Errorf("what is copied: error %v, loan has ended: %v", err, ended())
		}
		dst.goOn <- nil
		w.Drain()
		w.Close()
		late, ended := lent()
		if err := w.QueueLent(nil, late, []byte("late")); !errors.Is(err, ErrClosed) || ended() {
			t.Errorf("after Close: error %v, loan has ended: %v", err, ended())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		dst := newBlocked()
		w := NewWriter(dst)
		loan, ended := lent()
		if err := w.QueueLent(nil, loan, large); err != nil {
			t.Fatal(err)
		}
		go w.Close()
		synctest.Wait()
		if ended() {
			t.Error("the loan has ended while the write hangs")
		}
		dst.goOn <- nil
		synctest.Wait()
	})
}
