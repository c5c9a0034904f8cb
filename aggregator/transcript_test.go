package aggregator

import (
	"errors"
	"io"
	"testing"
)

// What is written late, by a session that has ended, is no part of what was
// rehearsed, and does not disturb who reads that.
func TestTranscriptEnds(t *testing.T) {
	var text transcript
	if _, err := text.Write([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	got := text.end()
	if n, err := text.Write([]byte("b\n")); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("written late: got %d, %v, want %v", n, err, io.ErrClosedPipe)
	}
	if string(got) != "a\n" || string(text.end()) != "a\n" {
		t.Errorf("got %q, then %q, want what was written in time", got, text.end())
	}
}
