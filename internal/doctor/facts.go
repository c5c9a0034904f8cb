package doctor

import (
	"io/fs"
	"time"

	"github.com/weir-mcp/weir/internal/hosts"
)

// Facts are all that is looked at. Paths are as they are to be shown, but those of
// [Files].
type Facts struct {
	Version string // of this weir
	Asked   bool   // the servers were started; else what they listed last counts

	Config     Config
	Servers    []Server
	Tools      []Tool
	Hosts      []Host
	Variables  []string // that the configuration has from this terminal's environment alone
	Logins     []Login
	Keyring    Keyring
	Files      Files
	Running    []Running
	Unanswered []string // why weirs that run did not say how they are
}

// A Config is what is known of the configuration.
type Config struct {
	Path     string
	Missing  bool
	Broken   []string // why it cannot be used, a line each; then nothing more is known
	Empty    bool
	Warnings []string
	Denied   string // why everything is denied to whoever asks; "" if it is not
	Notice   string // why no servers are served; "" if they are

	Mode    fs.FileMode // 0 where it says nothing
	Secrets []string    // where something stands that looks like one

	Disabled []string // servers
	Barren   []string // profiles without any server
	Rules    []Rule   // that do nothing, or not what they seem to
	Shown    Exposure
}

// An Exposure is how hosts learn of tools, as expose says.
type Exposure string

// A Rule of a policy that is to be mended.
type Rule struct {
	Place string
	Text  string
}

// A Server is what is known of one.
type Server struct {
	Name      string
	Transport string
	Prefix    string
	State     string
	Disabled  bool

	Era, Protocol, Version    string
	Tools, Prompts, Resources int
	Tokens                    int

	// Connected and Listed are how long it took, from its start; 0 for what did not
	// happen.
	Connected, Listed time.Duration

	Error    string // why it cannot be used
	Cause    Cause
	Said     string // the last it wrote to stderr
	ListAge  string // of the lists that hosts are shown meanwhile; "" for none
	Cleaned  int    // definitions that hosts are not shown whole
	Changed  int    // definitions that are not as they were pinned
	Withheld bool   // hosts do not see those

	Address string   // what it is: the same for two entries of one server; "" if it is not known
	Program *Program // that is started; nil for none
}

// A Cause is a sort of error, as far as it hangs on what to do.
type Cause string

// The causes.
const (
	ByProgram     Cause = "program"       // there is none of that name
	ByConfig      Cause = "configuration" // it cannot be used as configured
	ByTime        Cause = "time"          // it did not answer
	ByLogin       Cause = "login"         // nobody is logged in
	ByCredentials Cause = "credentials"   // those it was given are not taken
	ByCertificate Cause = "certificate"   // it is not who it says it is, or nobody vouches for it
	ByName        Cause = "name"          // its host has no address
	ByRefusal     Cause = "refusal"       // nobody listens there
	ByAddress     Cause = "address"       // what answers is no MCP server
	ByProtocol    Cause = "protocol"      // it does not keep to the protocol
	ByEnd         Cause = "end"           // it ended
)

// A Program is what the command of a server names.
type Program struct {
	Command string // as configured
	Found   string // where it is, for a weir that is started here; "" if nowhere
	Desktop string // where it is for one that a desktop has started
	ByShell bool   // there only the login shell knows it
	Reader  string // the program that its first line names, where a desktop has that nowhere
}

// A Tool is one that hosts are offered.
type Tool struct {
	Server     string
	Name       string // as its server calls it
	Exposed    string
	Made       bool   // by weir, as the plain name was too long, not fit for hosts or taken
	Definition []byte // raw, as hosts get it
	Tokens     int
}

// A Host is a program that starts servers, in which weir is, or was asked about.
type Host struct {
	hosts.Host
	Asked   bool // about, whether weir is in it or not
	Entries []Entry
	Twins   []Twin
	Trouble string // why its file cannot be read
}

// An Entry of a host's file starts weir.
type Entry struct {
	Name, File string
	Command    string
	Missing    bool     // there is no such program
	Other      bool     // it is another one than this
	Usage      string   // what is wrong with its arguments
	Off        bool     // the host does not start it
	Config     string   // why its configuration cannot be used
	Elsewhere  string   // the configuration that it uses, if that is another one
	Sets       []string // variables that it has a value for
	Tools      []string // the names that the host is shown; nil if that is not known
}

// A Twin is a server that stands in the file of a host and behind weir.
type Twin struct{ Name, File, Server string }

// A Login is one that is kept, or should be.
type Login struct {
	Server string // "" for one that nothing is configured for
	URL    string
	State  LoginState
	Error  string
}

// A LoginState says what a login is good for.
type LoginState string

// The states that something can be said of.
const (
	LoginExpired LoginState = "expired" // and cannot be renewed
	LoginBroken  LoginState = "broken"  // it cannot be read
	LoginLeft    LoginState = "left"    // no server is configured for it
	LoginGood    LoginState = "good"
)

// A Keyring is that of the system.
type Keyring struct {
	Unusable string // why; "" if it can be used
	Named    int    // references to it in the configuration
}

// Files are weir's own.
type Files struct {
	Folders []Folder
	Open    []File // that others can read or write
	Left    []File // of writes that were cut off
	Damaged []File // lists that cannot be read
	Unused  []File // lists of no server that is configured
	Locked  []string
}

// A Folder of weir's.
type Folder struct {
	Path       string
	Holds      string
	Mode       fs.FileMode // 0 where it says nothing
	Unwritable string      // why; "" if it can be written
	Size       int64
	Count      int
}

// A File is one of weir's.
type File struct {
	Path string
	Mode fs.FileMode
	Why  string
}

// Running is a weir that runs.
type Running struct {
	PID     int
	Version string
	Hosts   []string
	Config  string // the file that it serves
	Problem string
}
