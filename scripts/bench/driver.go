package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// A driver is the host: it runs one gateway and does as little as it can
// besides, so that what it measures is not itself.
type driver struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	meta   string // what requests have besides

	buf      []byte // read; buf[used:have] is not yet taken
	used     int
	have     int
	searched int // buf[used:searched] holds no line end
	nextID   int
	out      []byte
}

// start starts a gateway and shakes hands.
func start(g gateway) (*driver, error) {
	d, err := spawn(g.command, g.env)
	if err != nil {
		return nil, err
	}
	if g.modern {
		d.meta = modernMeta // and no hands to shake
		return d, nil
	}
	if err := d.handshake(); err != nil {
		d.stop()
		return nil, fmt.Errorf("%s: %w", g.command[0], err)
	}
	return d, nil
}

func spawn(command []string, env []string) (*driver, error) {
	d := &driver{cmd: exec.Command(command[0], command[1:]...), buf: make([]byte, 256<<10)}
	d.cmd.Env = env
	in, toGateway, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	fromGateway, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close(), toGateway.Close())
	}
	d.stdin, d.stdout = toGateway, fromGateway
	// Fd puts them into blocking mode: a wait is then one system call, without
	// the poller, whose threads would compete with what is measured.
	toGateway.Fd()
	fromGateway.Fd()
	d.cmd.Stdin, d.cmd.Stdout = in, out
	err = d.cmd.Start()
	return d, errors.Join(err, in.Close(), out.Close())
}

// What hosts of either era say of themselves: one at first, the other with each
// request.
const (
	legacyRevision   = "2025-11-25"
	modernRevision   = "2026-07-28"
	initializeParams = `{"protocolVersion":"` + legacyRevision + `","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}`
	initialized      = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	modernMeta       = `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + modernRevision + `",` +
		`"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}`
)

func (d *driver) handshake() error {
	if _, err := d.request("initialize", initializeParams); err != nil {
		return err
	}
	_, err := io.WriteString(d.stdin, initialized+"\n")
	return err
}

// list asks for the tools and returns the line of the answer, as request does.
func (d *driver) list() ([]byte, error) { return d.request("tools/list", "{"+d.meta+"}") }

var result = []byte(`"result":`)

// request sends one request and returns the line of its answer, which is good
// until the next.
func (d *driver) request(method, params string) ([]byte, error) {
	id := d.put(method, params)
	if err := d.flush(); err != nil {
		return nil, err
	}
	for {
		line, err := d.line()
		if err != nil {
			return nil, err
		}
		if got, ok := idOf(line); ok && got == id {
			if !bytes.Contains(line, result) {
				return nil, fmt.Errorf("%s: %.500s", method, line)
			}
			return line, nil
		}
	}
}

// toolCall is what is asked of a tool, for call and calls. The meta may be "".
func toolCall(tool, arguments, meta string) (params string) {
	if meta != "" {
		meta = "," + meta
	}
	return `{"name":"` + tool + `","arguments":` + arguments + meta + `}`
}

// call calls a tool, one at a time.
func (d *driver) call(params string) error {
	_, err := d.request("tools/call", params)
	return err
}

// calls calls a tool n times, with this many in flight, and checks that each
// call is answered once, by a result.
func (d *driver) calls(n, inFlight int, params string) error {
	sent, answered, sum := 0, 0, 0
	for answered < n {
		for sent < n && sent-answered < inFlight {
			sum += d.put("tools/call", params)
			sent++
		}
		if err := d.flush(); err != nil {
			return err
		}
		line, err := d.line()
		if err != nil {
			return err
		}
		// All that is there is taken before more is sent.
		for there := true; there; line, there = d.take() {
			id, ok := idOf(line)
			if !ok {
				continue
			}
			if !bytes.Contains(line, result) {
				return fmt.Errorf("call %d: %.500s", id, line)
			}
			sum -= id
			answered++
		}
	}
	if sum != 0 {
		return errors.New("answers carry wrong ids")
	}
	return nil
}

// put adds a request to what flush sends.
func (d *driver) put(method, params string) (id int) {
	d.nextID++
	d.out = append(d.out, `{"jsonrpc":"2.0","id":`...)
	d.out = strconv.AppendInt(d.out, int64(d.nextID), 10)
	d.out = append(d.out, `,"method":"`...)
	d.out = append(d.out, method...)
	d.out = append(d.out, `","params":`...)
	d.out = append(d.out, params...)
	d.out = append(d.out, "}\n"...)
	return d.nextID
}

func (d *driver) flush() error {
	if len(d.out) == 0 {
		return nil
	}
	_, err := d.stdin.Write(d.out)
	d.out = d.out[:0]
	return err
}

// line returns the next line, which is good until the next call.
func (d *driver) line() ([]byte, error) {
	for {
		if line, there := d.take(); there {
			return line, nil
		}
		d.makeRoom()
		n, err := d.stdout.Read(d.buf[d.have:])
		if d.have += n; err != nil {
			return nil, fmt.Errorf("gateway's output ended: %w", err)
		}
	}
}

// take returns the next line if all of it is read already.
func (d *driver) take() (line []byte, there bool) {
	i := bytes.IndexByte(d.buf[d.searched:d.have], '\n')
	if i < 0 {
		d.searched = d.have
		return nil, false
	}
	line = d.buf[d.used : d.searched+i]
	d.used += len(line) + 1
	d.searched = d.used
	return line, true
}

// makeRoom has the next read begin at the front where nothing is left to take:
// that memory is near, and a buffer that has had large lines is long.
func (d *driver) makeRoom() {
	rest := d.buf[d.used:d.have]
	if len(rest) > 0 && d.have < len(d.buf) {
		return
	}
	if len(rest) > len(d.buf)/2 {
		d.buf = make([]byte, 2*len(d.buf))
	}
	d.searched -= d.used
	d.used, d.have = 0, copy(d.buf, rest)
}

// idOf finds the id of an answer. It looks at the two places where answers have
// it: near the head, or last.
func idOf(line []byte) (int, bool) {
	key := []byte(`"id":`)
	i := bytes.Index(line[:min(len(line), 64)], key)
	if i < 0 {
		i = bytes.LastIndex(line, key)
	}
	if i < 0 {
		return 0, false
	}
	id, digits := 0, 0
	for _, c := range line[i+len(key):] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + int(c-'0')
		digits++
	}
	return id, digits > 0
}

// stop ends the gateway. How it ends is not what is measured.
func (d *driver) stop() {
	_ = d.stdin.Close()
	timer := time.AfterFunc(10*time.Second, func() { _ = d.cmd.Process.Kill() })
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, d.stdout)
	_ = d.stdout.Close()
	_ = d.cmd.Wait()
}

// memory reads a line of the gateway's /proc status, such as VmHWM, in bytes.
func (d *driver) memory(key string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		fields := bytes.Fields(line)
		if len(fields) > 1 && string(fields[0]) == key+":" {
			kilobytes, err := strconv.ParseFloat(string(fields[1]), 64)
			return kilobytes * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s for the gateway", key)
}
