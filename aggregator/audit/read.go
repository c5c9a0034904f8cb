package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// An Entry is one line as it was written: what became of a request, or how many
// of them were lost.
type Entry struct {
	Time          time.Time       `json:"time"`
	Principal     string          `json:"principal"`
	Host          string          `json:"host"`
	Server        string          `json:"server"`
	Kind          string          `json:"kind"`
	Method        string          `json:"method"`
	Name          string          `json:"name"`
	Verdict       string          `json:"verdict"`
	Rule          string          `json:"rule"`
	Outcome       string          `json:"outcome"`
	Failure       string          `json:"failure"`
	MaybeRan      bool            `json:"maybe_ran"`
	Count         int             `json:"count"`
	Milliseconds  float64         `json:"duration_ms"`
	RequestBytes  int             `json:"request_bytes"`
	ResponseBytes int             `json:"response_bytes"`
	Arguments     json.RawMessage `json:"arguments"`

	Lost int `json:"lost"` // records; all but Time is empty then

	Line []byte `json:"-"` // as it stands in the file, without its end
}

// maxRotated is the number of the oldest file that is looked for.
const maxRotated = 99

// Files returns the file at path and those that it was rotated to, as far as
// they are there: the oldest first.
func Files(path string) []string {
	var found []string
	for i := maxRotated; i > 0; i-- {
		if isThere(rotated(path, i)) {
			found = append(found, rotated(path, i))
		}
	}
	if isThere(path) {
		found = append(found, path)
	}
	return found
}

func isThere(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// A Reader reads what was written to a file and to those that it was rotated to,
// from the oldest line on. It is not safe for concurrent use. Close it.
type Reader struct {
	path  string
	open  *os.File
	info  os.FileInfo // of open
	lines *bufio.Reader
	line  []byte // of the next line, what is there of it
	long  bool   // it is too long to be one of ours: the rest of it is left out as well

	Skipped int // lines that were none: cut off, or written by somebody else
}

// NewReader returns a Reader of the file at path, which need not be there yet.
func NewReader(path string) *Reader { return &Reader{path: path} }

// Next returns the next entry. The error is io.EOF when there is none for now:
// later there may be, also in a file that has taken the place of this one.
func (r *Reader) Next() (Entry, error) {
	for {
		line, err := r.nextLine()
		if err != nil {
			return Entry{}, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if e, ok := parse(line); ok {
			return e, nil
		}
		r.Skipped++
	}
}

// Close closes the file that is open.
func (r *Reader) Close() {
	if r.open != nil {
		_ = r.open.Close()
	}
	r.open = nil
}

// nextLine returns a line, of whichever file comes next.
func (r *Reader) nextLine() ([]byte, error) {
	for {
		if r.open == nil {
			next, err := r.first()
			if err != nil {
				return nil, err
			}
			if err := r.start(next); err != nil {
				return nil, err
			}
		}
		line, err := r.readLine()
		if !errors.Is(err, io.EOF) {
			return line, err
		}
		successor := r.successor()
		if successor == "" {
			return nil, io.EOF
		}
		// Somebody may have written to it before it was put aside.
		if line, err = r.readLine(); !errors.Is(err, io.EOF) {
			return line, err
		}
		if err := r.start(successor); err != nil {
			return nil, err
		}
	}
}

func (r *Reader) first() (string, error) {
	files := Files(r.path)
	if len(files) == 0 {
		return "", io.EOF
	}
	return files[0], nil
}

func (r *Reader) start(path string) error {
	r.Close()
	open, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return io.EOF // it has just been renamed
	}
	if err != nil {
		return err
	}
	info, err := open.Stat()
	if err != nil || !info.Mode().IsRegular() {
		_ = open.Close()
		return errors.Join(err, fmt.Errorf("%s: it is not a regular file", path))
	}
	if len(r.line) > 0 {
		r.Skipped++ // the last one of the file before had no end
	}
	r.open, r.info, r.line, r.long = open, info, r.line[:0], false
	r.lines = bufio.NewReaderSize(open, maxLine)
	return nil
}

// successor is the file that was begun when the open one was put aside; "" if it
// was not.
func (r *Reader) successor() string {
	files := Files(r.path)
	for i, path := range files {
		info, err := os.Stat(path)
		if err != nil || !os.SameFile(info, r.info) {
			continue
		}
		if i+1 < len(files) {
			return files[i+1]
		}
		return ""
	}
	if len(files) == 0 {
		return ""
	}
	return files[0] // the open one is gone
}

// readLine returns a line that has its end. What has none yet is kept, and what
// is too long returned empty.
func (r *Reader) readLine() ([]byte, error) {
	for {
		part, err := r.lines.ReadSlice('\n')
		if len(r.line)+len(part) > maxLine {
			r.long, r.line = true, r.line[:0]
		}
		if !r.long {
			r.line = append(r.line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		}
		line := r.line
		if r.long {
			r.Skipped++
		}
		r.line, r.long = r.line[:0], false
		return line, nil
	}
}

// parse reads a line. One that begins with what another process has left
// unfinished is read from where it makes sense.
func parse(line []byte) (Entry, bool) {
	head := []byte("{" + timeHead)
	for {
		var e Entry
		if err := json.Unmarshal(line, &e); err == nil && !e.Time.IsZero() && (e.Outcome != "" || e.Lost > 0) {
			e.Line = bytes.Clone(line)
			return e, true
		}
		next := bytes.Index(line[min(1, len(line)):], head)
		if next < 0 {
			return Entry{}, false
		}
		line = line[next+1:]
	}
}
