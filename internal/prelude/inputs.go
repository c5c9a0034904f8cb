package prelude

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Inputs are what the answers of a start depend on besides what stands in the
// name of its record. They are gathered by one goroutine.
type Inputs struct {
	// Folder is the working folder, where relative paths of the arguments or of
	// the environment begin; "" where there are none.
	Folder string

	files     []file
	variables []variable
	folders   []folder
}

// A digest is a keyed one: it tells nothing of a text to who does not have the
// key.
type digest [16]byte

// A file is one that was read.
type file struct {
	path  string
	limit int // bytes that are read of it
	found bool
	sum   digest // of what was in it
}

// A variable is one of the environment that was looked up.
type variable struct {
	name string
	set  bool
	sum  digest // of its value
}

// A folder has files that are replaced whole and never written to.
type folder struct {
	path  string
	files []stamped
}

type stamped struct {
	name  string
	found bool
	stamp stamp
}

// A stamp tells one state of a file from another. Times are in nanoseconds.
type stamp struct {
	device, inode, size uint64
	modified, changed   int64
}

// Read takes in a file of which at most limit bytes count. err is why it could
// not be read: only that it is not there is a state that can be known again.
func (s *Start) Read(in *Inputs, path string, limit int64, data []byte, err error) error {
	f := file{path: path, limit: int(limit), found: err == nil}
	switch {
	case err == nil:
		f.sum = s.digest(data)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	in.files = append(in.files, f)
	return nil
}

// LookedUp takes in a variable of the environment.
func (s *Start) LookedUp(in *Inputs, name string) {
	value, set := s.lookup(name)
	in.variables = append(in.variables, variable{name, set, s.digest([]byte(value))})
}

// Replaced takes in a file that is replaced whole and never written to, as it is
// now: which is to be asked before it is read, and again behind ([Start.Hold]).
func (in *Inputs) Replaced(path string) error {
	at := strings.LastIndexByte(path, '/') + 1
	parent, name := path[:at], path[at:]
	f := stamped{name: name}
	var err error
	f.stamp, err = stampOf(path)
	if f.found = err == nil; err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for i := range in.folders {
		if in.folders[i].path == parent {
			in.folders[i].files = append(in.folders[i].files, f)
			return nil
		}
	}
	in.folders = append(in.folders, folder{parent, []stamped{f}})
	return nil
}

// settled is how long a file must not have changed before its stamp is trusted:
// some file systems count time in steps of two seconds.
const settled = 2 * time.Second

// Settled reports whether no file was replaced so lately that it could be replaced
// once more without another stamp.
func (in *Inputs) Settled(now time.Time) bool {
	for i := range in.folders {
		for _, f := range in.folders[i].files {
			last := time.Unix(0, max(f.stamp.modified, f.stamp.changed))
			if f.found && now.Sub(last) < settled {
				return false
			}
		}
	}
	return true
}

// Hold reports whether all is still as it was.
func (s *Start) Hold(in *Inputs) bool {
	if in.Folder != "" && in.Folder != workingFolder() {
		return false
	}
	for i := range in.variables {
		v := &in.variables[i]
		if value, set := s.lookup(v.name); set != v.set || s.digest([]byte(value)) != v.sum {
			return false
		}
	}
	for i := range in.files {
		if !s.holds(&in.files[i]) {
			return false
		}
	}
	for i := range in.folders {
		if !in.folders[i].holds() {
			return false
		}
	}
	return true
}

func (s *Start) holds(f *file) bool {
	data, err := readRegular(f.path, f.limit)
	if !f.found {
		return errors.Is(err, fs.ErrNotExist)
	}
	return err == nil && s.digest(data) == f.sum
}

func (s *Start) digest(text []byte) (d digest) {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(text)
	copy(d[:], mac.Sum(nil))
	return d
}

// workingFolder is "" where it is not known, which no Inputs wait for.
func workingFolder() string {
	folder, err := os.Getwd()
	if err != nil {
		return ""
	}
	return folder
}

func (in *Inputs) encode(e *encoder) {
	e.bytes([]byte(in.Folder))
	e.number(len(in.files))
	for _, f := range in.files {
		e.bytes([]byte(f.path))
		e.number(f.limit)
		e.flag(f.found)
		e.bytes(f.sum[:])
	}
	e.number(len(in.variables))
	for _, v := range in.variables {
		e.bytes([]byte(v.name))
		e.flag(v.set)
		e.bytes(v.sum[:])
	}
	e.number(len(in.folders))
	for i := range in.folders {
		in.folders[i].encode(e)
	}
}

func (f *folder) encode(e *encoder) {
	e.bytes([]byte(f.path))
	e.number(len(f.files))
	for i := range f.files {
		its := &f.files[i]
		e.bytes([]byte(its.name))
		e.flag(its.found)
		e.stamp(&its.stamp)
	}
}

func (e *encoder) stamp(s *stamp) {
	for _, n := range [...]uint64{s.device, s.inode, s.size, uint64(s.modified), uint64(s.changed)} {
		e.fixed(n)
	}
}

// leastInput is how many bytes an input takes at least.
const leastInput = 16

func (in *Inputs) decode(d *decoder) {
	in.Folder = string(d.bytes())
	in.files = make([]file, d.count(leastInput))
	for i := range in.files {
		in.files[i] = file{string(d.bytes()), d.number(), d.flag(), d.digest()}
	}
	in.variables = make([]variable, d.count(leastInput))
	for i := range in.variables {
		in.variables[i] = variable{string(d.bytes()), d.flag(), d.digest()}
	}
	in.folders = make([]folder, d.count(2))
	for i := range in.folders {
		in.folders[i].decode(d)
	}
}

func (f *folder) decode(d *decoder) {
	f.path = string(d.bytes())
	f.files = make([]stamped, d.count(leastInput))
	for i := range f.files {
		f.files[i] = stamped{string(d.bytes()), d.flag(), d.stamp()}
	}
}

func (d *decoder) stamp() stamp {
	return stamp{d.fixed(), d.fixed(), d.fixed(), int64(d.fixed()), int64(d.fixed())}
}

func (d *decoder) digest() (sum digest) {
	b := d.bytes()
	if len(b) != len(sum) {
		d.fail()
	}
	copy(sum[:], b)
	return sum
}
