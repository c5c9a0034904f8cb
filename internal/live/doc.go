// Package live lets a running weir be asked how it is: each has a Unix-domain
// socket in the user's folder of state, at which it says so to whoever connects.
// Who connects asks with one line; what the weir says is one document of JSON. It can
// be told to start a server anew, and nothing else can be changed that way.
//
// # Design
//
// Several weirs of a user run at once, each started by another host, and nobody
// knows of them but their hosts. A file with figures would have to be written on
// and on, and would lie when its weir was killed; a socket costs nothing while
// nobody asks, and answers only while somebody is there. What a weir that was
// killed leaves behind is swept by whoever lists them next.
//
// Only the user can connect: the folder is theirs alone, and on Linux the kernel
// says who has connected.
package live

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"time"
)

// A Weir is how a running weir is. Nothing in it is secret, and no path in it
// names the user's home folder.
type Weir struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Hosts   []string  `json:"hosts"`            // name and version, by their own word
	As      string    `json:"as,omitempty"`     // the key or profile that it serves
	Config  string    `json:"config,omitempty"` // the file; "" for none
	Problem string    `json:"problem,omitempty"`

	// Goroutines are how many it has: a few for each server that is connected and
	// each request under way. More and more of them would be a leak.
	Goroutines int `json:"goroutines"`

	Servers []Server `json:"servers"`
	All     Figures  `json:"all"` // requests for no server among them
}

// A Server is how one server of a weir is.
type Server struct {
	Name      string    `json:"name"`
	Transport string    `json:"transport"`
	State     string    `json:"state"`
	Since     time.Time `json:"since"`
	Reason    string    `json:"reason,omitempty"`
	NextTry   time.Time `json:"nextTry,omitzero"`
	Protocol  string    `json:"protocol,omitempty"`
	Tools     int       `json:"tools"`
	Prompts   int       `json:"prompts"`
	Resources int       `json:"resources"`
	Figures
}

// Figures are what has become of requests since the weir was started.
type Figures struct {
	Calls     uint64            `json:"calls"`
	OK        uint64            `json:"ok"`
	Errors    uint64            `json:"errors"`
	Failed    map[string]uint64 `json:"failed,omitempty"` // by the kind of failure
	Denied    uint64            `json:"denied"`
	Refused   uint64            `json:"refused"`
	Unknown   uint64            `json:"unknown"`
	Asked     uint64            `json:"asked"`
	Cancelled uint64            `json:"cancelled"`

	InFlight int     `json:"inFlight"`
	OldestMS float64 `json:"oldestMs,omitempty"` // of those in flight

	P50MS float64 `json:"p50Ms"`
	P90MS float64 `json:"p90Ms"`
	P99MS float64 `json:"p99Ms"`
	MaxMS float64 `json:"maxMs"`

	RequestBytes  uint64 `json:"requestBytes"`
	ResponseBytes uint64 `json:"responseBytes"`

	Questions uint64 `json:"questions"`
	Listings  uint64 `json:"listings"`

	Connected     uint64 `json:"connected"`
	Lost          uint64 `json:"lost"`
	FailedToReach uint64 `json:"failedToReach"`

	LastFailure *Failure `json:"lastFailure,omitempty"`
}

// A Failure is the last request without an answer.
type Failure struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
}

// A question is the line by which a weir is asked. The zero question asks how it is.
type question struct {
	Restart string `json:"restart,omitempty"` // the server to be started anew
}

// An outcome is what came of being told to do something.
type outcome struct {
	Error string `json:"error,omitempty"`
}

// How long the answer of a weir may be, and a question, in bytes.
const (
	maxDocument = 4 << 20
	maxQuestion = 4 << 10
)

// encode is a document that a weir answers with.
func encode(answer any) ([]byte, error) { return json.Marshal(answer) }

func decode(document []byte) (*Weir, error) {
	w := new(Weir)
	if err := json.Unmarshal(document, w); err != nil {
		return nil, err
	}
	return w, nil
}

func (q question) line() ([]byte, error) {
	text, err := json.Marshal(q)
	return append(text, '\n'), err
}

// readQuestion reads one line. An empty one asks how the weir is.
func readQuestion(r io.Reader) (q question, err error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxQuestion)).ReadBytes('\n')
	if err != nil {
		return question{}, err
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return question{}, nil
	}
	return q, json.Unmarshal(line, &q)
}
