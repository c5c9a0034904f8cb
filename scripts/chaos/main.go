// Chaos is a fault machine: it runs weir between hosts that call, cancel, list,
// answer, kill it and start it anew, and servers that break in every way it knows,
// over every transport, with others among them that are well. What all of them do
// comes from a seed.
//
//	go run ./scripts/chaos [-seed N] [-time 1m] [-steps N] [-transport stdio,http,…] [-race] [-log FILE]
//	go run ./scripts/chaos -replay FILE
//
// It plays one round after another, each with the next seed, until the time is
// over; without -seed it begins with one at random. A round in which weir breaks
// its word ends the run: its seed, what was wrong and what had happened last are
// printed. -replay plays the round again of which a log was written. Hosts and
// servers do the same again; when they do it is up to the system, so a race may
// want several tries.
//
// # What must hold
//
// In every round, whatever breaks:
//   - A request gets one answer, or its host has cancelled it, or its weir was
//     killed. An answer belongs to its request, byte for byte.
//   - A server that is well always answers, while others hang, and its own
//     calls do not wait for each other.
//   - Nothing is executed twice. What weir says was not executed was not.
//   - Progress comes in order, and before the answer.
//   - The list of a server is whole, as it was at some time, and in the end as it
//     is.
//   - Questions get the answers that were given to them.
//   - What is followed at a server that is well is told, each version once; what is
//     followed at any is told when all is well again, or weir has said that something
//     may have been missed. What goes away with its server has a last word. A stream
//     is acknowledged first, and nothing is told on it that was not asked for, nor
//     behind its end.
//   - A host that lists when it is told to has the lists as they are.
//   - A configuration that is saved is in effect soon; a broken one changes nothing.
//   - No request is sent to who has shown a bad certificate. No secret, and no token,
//     is in what weir says.
//   - When all is well again every server is used again, and weir has the files,
//     threads, goroutines, children and memory that it had after its start.
//   - Its output carries messages only, its log no panic and no data race. After
//     its end, by whatever, no process is left after five seconds, and no file.
//
// It needs Linux.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	random "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == rig.RelayCommand {
		os.Exit(rig.Relay(os.Args[2:]))
	}
	mounts, code, done, why := rig.Privately()
	if done {
		os.Exit(code)
	}
	if why != nil {
		fmt.Fprintln(os.Stderr, "chaos: no disk gets full, and no name comes to be known:", why)
	}
	if err := run(mounts); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

type options struct {
	seed       uint64
	time       time.Duration
	steps      int
	transports string
	race       bool
	log        string
	replay     string
}

func run(mounts *rig.Mounts) (err error) {
	o := options{}
	flag.Uint64Var(&o.seed, "seed", 0, "the seed of the first round; 0 = any")
	flag.DurationVar(&o.time, "time", time.Minute, "how long to play; a round that has begun is played to its end")
	flag.IntVar(&o.steps, "steps", 60, "steps of each host in a round")
	flag.StringVar(&o.transports, "transport", "", "hurt servers over these transports only, divided by commas: stdio http https sse websocket")
	flag.BoolVar(&o.race, "race", false, "build weir with the race detector")
	flag.StringVar(&o.log, "log", "", "a file for what happens in the last round, and what weirs said where something was wrong")
	flag.StringVar(&o.replay, "replay", "", "play once the round of which this is the log")
	flag.Parse()
	if runtime.GOOS != "linux" {
		return errors.New("needs Linux: it counts in /proc")
	}
	if o.replay != "" {
		if err := o.read(o.replay); err != nil {
			return err
		}
	}
	if o.seed == 0 {
		o.seed = uint64(random.Uint32())
	}
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err := o.machine(dir)
	if err != nil {
		return err
	}
	m.mounts = mounts
	return o.play(m)
}

// read takes the options of a round from the head of its log.
func (o *options) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return err
	}
	var transports string
	if _, err := fmt.Sscanf(head, "1 world seed %d, %d steps, transports", &o.seed, &o.steps); err != nil {
		return fmt.Errorf("%s is no log of a round: %w", file, err)
	}
	_, transports, _ = strings.Cut(strings.TrimSpace(head), "transports ")
	o.transports = strings.Join(strings.Fields(strings.Trim(transports, "[]")), ",")
	o.time = 0
	return nil
}

// machine builds weir, and makes this program the relay.
func (o *options) machine(dir string) (*machine, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m := &machine{weir: []string{filepath.Join(dir, "weir")}, relay: self, steps: o.steps}
	for name := range strings.FieldsFuncSeq(o.transports, func(r rune) bool { return r == ',' }) {
		if !slices.Contains(rig.Transports, rig.Transport(name)) {
			return nil, fmt.Errorf("unknown transport %q (want %v)", name, rig.Transports)
		}
		m.transports = append(m.transports, rig.Transport(name))
	}
	args := []string{"build", "-o", m.weir[0]}
	if o.race {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "github.com/weir-mcp/weir")...)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building weir: %w", err)
	}
	return m, nil
}

// play plays rounds until the time is over. There is one at least.
func (o *options) play(m *machine) error {
	end := time.Now().Add(o.time)
	for seed, n := o.seed, 1; ; seed, n = seed+1, n+1 {
		log, err := o.open()
		if err != nil {
			return err
		}
		if log != nil {
			m.log = log
		}
		begun := time.Now()
		err = m.round(seed)
		if log != nil {
			err = errors.Join(err, log.Close())
		}
		if wrong, ok := errors.AsType[*roundError](err); ok {
			fmt.Fprintln(os.Stderr, strings.Join(wrong.tail, "\n"))
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "chaos: seed %d: %.1f s\n", seed, time.Since(begun).Seconds())
		if !time.Now().Before(end) {
			fmt.Fprintf(os.Stderr, "chaos: %d rounds, nothing found\n", n)
			return nil
		}
	}
}

func (o *options) open() (io.WriteCloser, error) {
	if o.log == "" {
		return nil, nil //nolint:nilnil // nobody wants a log
	}
	return os.Create(o.log)
}
