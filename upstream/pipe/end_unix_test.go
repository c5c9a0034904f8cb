//go:build unix

package pipe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestReadGetsWhatIsWritten(t *testing.T) {
	near, far := pair(t)
	for _, text := range []string{"a", "line\n", string(bytes.Repeat([]byte("x"), 5000))} {
		if _, err := far.WriteString(text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(near, got); err != nil || string(got) != text {
			t.Fatalf("read %q, %v, want %q", got, err, text)
		}
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := near.Read(make([]byte, 8)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the other end closed: %d, %v, want EOF", n, err)
	}
}

// A full buffer makes the next read skip the wait; an empty pipe must not hang
// or spin then.
func TestReadAfterFullBuffer(t *testing.T) {
	near, far := pair(t)
	if _, err := far.WriteString("1234"); err != nil {
		t.Fatal(err)
	}
	if n, err := near.Read(make([]byte, 4)); n != 4 || err != nil {
		t.Fatalf("got %d, %v, want 4", n, err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := near.Read(make([]byte, 4))
		result <- err
	}()
	if _, err := far.WriteString("5"); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Errorf("got %v, want the byte", err)
	}
}

func TestCloseWakesReader(t *testing.T) {
	near, _ := pair(t)
	result := make(chan error, 1)
	go func() {
		_, err := near.Read(make([]byte, 1))
		result <- err
	}()
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want %v", err, os.ErrClosed)
	}
	if err := near.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Close: got %v, want %v", err, os.ErrClosed)
	}
	if err := near.SetReadDeadline(time.Now()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("SetReadDeadline after Close: got %v, want %v", err, os.ErrClosed)
	}
}

func TestDeadlines(t *testing.T) {
	near, far := pair(t)
	result := make(chan error, 1)
	read := func() {
		_, err := near.Read(make([]byte, 1))
		result <- err
	}
	go read()
	if err := near.SetReadDeadline(time.Unix(0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past deadline: got %v, want %v", err, os.ErrDeadlineExceeded)
	}
	if err := near.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go read()
	if _, err := far.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Errorf("no deadline: got %v, want the byte", err)
	}
}

func TestTryWriteDoesNotWait(t *testing.T) {
	far, out := writable(t)
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	n, err := out.TryWrite(text)
	if err != nil || n == 0 || n == len(text) {
		t.Fatalf("first: %d, %v, want a part of %d", n, err, len(text))
	}
	if n, err := out.TryWrite(text); n != 0 || err != nil {
		t.Fatalf("into a full pipe: %d, %v, want nothing", n, err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := out.Write(text[n:])
		result <- err
	}()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, text) {
		t.Errorf("read back differs: %v", err)
	}
	if err := <-result; err != nil {
		t.Errorf("Write: %v", err)
	}
}

func TestWriteEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(t *testing.T, far *os.File, out *End)
		want error
	}{
		{"by Close", func(t *testing.T, _ *os.File, out *End) { must(t, out.Close()) }, os.ErrClosed},
		{"by the deadline", func(t *testing.T, _ *os.File, out *End) { must(t, out.SetWriteDeadline(time.Unix(0, 1))) }, os.ErrDeadlineExceeded},
		{"by the reader", func(t *testing.T, far *os.File, _ *End) { must(t, far.Close()) }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			far, out := writable(t)
			result := make(chan error, 1)
			go func() {
				_, err := out.Write(make([]byte, 1<<20))
				result <- err
			}()
			test.end(t, far, out)
			err := <-result
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// A process shares the mode of its standard streams with who started it.
func TestRestore(t *testing.T) {
	near, far := pair(t)
	dup, err := New(far.Fd()) // Fd has made it blocking
	must(t, err)
	must(t, dup.Restore())
	if dup.blocking != true {
		t.Error("a blocking descriptor was not seen as such")
	}
	if _, err := far.WriteString("x"); err != nil {
		t.Errorf("writing after Restore: %v", err)
	}
	if n, err := near.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("got %d, %v, want the byte", n, err)
	}
}

func TestNewRefusesBadDescriptor(t *testing.T) {
	if _, err := New(1 << 20); err == nil {
		t.Error("no error for a descriptor that is not open")
	}
}

func pair(t *testing.T) (*End, *os.File) {
	t.Helper()
	near, far, err := Input()
	must(t, err)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// writable returns an End to write to, and its reader.
func writable(t *testing.T) (*os.File, *End) {
	t.Helper()
	out, far, err := Output()
	must(t, err)
	t.Cleanup(func() { _, _ = far.Close(), out.Close() })
	return far, out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestMain lets the test binary be the far side of BenchmarkHop.
func TestMain(m *testing.M) {
	switch os.Getenv("PIPE_TEST_ECHO") {
	case "pipe":
		in, err := New(0)
		if err != nil {
			os.Exit(1)
		}
		out, err := New(1)
		if err != nil {
			os.Exit(1)
		}
		echo(in, out)
	case "poller":
		if syscall.SetNonblock(0, true) != nil || syscall.SetNonblock(1, true) != nil {
			os.Exit(1)
		}
		echo(os.NewFile(0, "in"), os.NewFile(1, "out"))
	case "blocking":
		echo(os.Stdin, os.Stdout)
	default:
		os.Exit(m.Run())
	}
}

func echo(in io.Reader, out io.Writer) {
	buf := make([]byte, 256)
	for {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return
		}
	}
}

// BenchmarkHop is the measurement behind this package: a message to another
// process and back, which reads it by this package, by the runtime's poller,
// and with descriptors in blocking mode.
func BenchmarkHop(b *testing.B) {
	for _, how := range []string{"pipe", "poller", "blocking"} {
		b.Run(how, func(b *testing.B) {
			cmd := exec.CommandContext(b.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "PIPE_TEST_ECHO="+how)
			in, err := cmd.StdinPipe()
			if err != nil {
				b.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			message := make([]byte, 200)
			for b.Loop() {
				if _, err := in.Write(message); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(out, message); err != nil {
					b.Fatal(err)
				}
			}
			_ = in.Close()
			_ = cmd.Wait()
		})
	}
}
