package prelude

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"os"
)

// A Start is how a weir was started, as far as that decides which records are
// its own. It is immutable.
type Start struct {
	folder string // of all that may be deleted at any time
	key    []byte // of the user's, which the stored lists have too
	name   string // of the folder of its records
	lookup func(name string) (string, bool)
}

// A Process is what a Start is made of.
type Process struct {
	Folder  string                           // weir's, of what may be deleted at any time
	Program string                           // the path of the executable
	Args    []string                         // without the program's name
	Lookup  func(name string) (string, bool) // of the environment
}

// This is the running process.
func This() Process {
	p := Process{Args: os.Args[1:], Lookup: os.LookupEnv}
	if folder, err := os.UserCacheDir(); err == nil {
		p.Folder = folder + "/weir"
	}
	p.Program, _ = os.Executable() // without, there are no records
	return p
}

// deciding are the variables that say where things lie, and whom weir serves.
var deciding = []string{
	"HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME",
	"WEIR_CONFIG", "WEIR_PROFILE", "WEIR_KEY", chain,
}

// chain is the variable of a weir that another one started, which may have to
// serve nothing: where its links lead is found out anew each time.
const chain = "WEIR_CHAIN"

const (
	// AnyRecords is in the name of each folder of records, before the number of their
	// format.
	AnyRecords = ".prelude"

	folderExt = AnyRecords + number
	keyName   = "key" // of the stored lists
	keySize   = 32
)

var errNoStart = errors.New("a start like this keeps no records")

// NewStart returns the Start of a process. The error is why it has no records.
func NewStart(p Process) (*Start, error) {
	if above, _ := p.Lookup(chain); above != "" || p.Folder == "" || p.Folder[0] != '/' || p.Program == "" {
		return nil, errNoStart
	}
	program, err := stampOf(p.Program)
	if err != nil {
		return nil, err
	}
	key, err := readOwn(p.Folder+"/"+keyName, keySize)
	if err != nil || len(key) != keySize {
		return nil, errNoStart
	}
	s := &Start{folder: p.Folder, key: key, lookup: p.Lookup}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(format))
	var id encoder
	id.bytes([]byte(p.Program))
	id.stamp(&program)
	id.number(len(p.Args))
	for _, arg := range p.Args {
		id.bytes([]byte(arg))
	}
	for _, name := range deciding {
		value, set := p.Lookup(name)
		id.flag(set)
		id.bytes([]byte(value))
	}
	mac.Write(id.text)
	s.name = hexOf(mac.Sum(nil)[:16]) + folderExt
	return s, nil
}

// records is the folder of the records of such a start.
func (s *Start) records() string { return s.folder + "/" + s.name }

// Path is where the record lies for a host whose first line this is: in a folder
// of this Start's in that of what may be deleted.
func (s *Start) Path(first []byte) string {
	d := s.digest(first)
	return s.records() + "/" + hexOf(d[:])
}
