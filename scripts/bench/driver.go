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

	buf    []byte // read, of which buf[used:have] is not yet looked at
	used   int
	have   int
	nextID int
	out    []byte
}

// start starts a gateway and shakes hands.
func start(command []string, env []string) (*driver, error) {
	d, err := spawn(command, env)
	if err != nil {
		return nil, err
	}
	if err := d.handshake(); err != nil {
		d.stop()
		return nil, fmt.Errorf("%s: %w", command[0], err)
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

func (d *driver) handshake() error {
	_, err := d.request("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}`)
	if err != nil {
		return err
	}
	return d.notify("notifications/initialized")
}

func (d *driver) notify(method string) error {
	_, err := io.WriteString(d.stdin, `{"jsonrpc":"2.0","method":"`+method+`"}`+"\n")
	return err
}

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
			if !bytes.Contains(line, []byte(`"result":`)) {
				return nil, fmt.Errorf("%s: %.500s", method, line)
			}
			return line, nil
		}
	}
}

// call calls a tool, one at a time.
func (d *driver) call(tool, arguments string) error {
	_, err := d.request("tools/call", `{"name":"`+tool+`","arguments":`+arguments+`}`)
	return err
}

// calls calls a tool n times, with this many in flight, and checks that each
// call is answered once.
func (d *driver) calls(n, inFlight int, tool, arguments string) error {
	params := `{"name":"` + tool + `","arguments":` + arguments + `}`
	sent, answered, sum := 0, 0, 0
	for answered < n {
		for sent < n && sent-answered < inFlight {
			sum += d.put("tools/call", params)
			sent++
		}
		if err := d.flush(); err != nil {
			return err
		}
		// All that is there is taken before more is sent.
		for first := true; first || d.buffered(); first = false {
			line, err := d.line()
			if err != nil {
				return err
			}
			if id, ok := idOf(line); ok {
				sum -= id
				answered++
			}
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

func (d *driver) buffered() bool { return bytes.IndexByte(d.buf[d.used:d.have], '\n') >= 0 }

// line returns the next line, which is good until the next call.
func (d *driver) line() ([]byte, error) {
	searched := d.used
	for {
		if i := bytes.IndexByte(d.buf[searched:d.have], '\n'); i >= 0 {
			line := d.buf[d.used : searched+i]
			d.used = searched + i + 1
			return line, nil
		}
		searched = d.have
		if d.have == len(d.buf) {
			searched -= d.used
			d.makeRoom()
		}
		n, err := d.stdout.Read(d.buf[d.have:])
		if d.have += n; err != nil {
			return nil, fmt.Errorf("gateway's output ended: %w", err)
		}
	}
}

func (d *driver) makeRoom() {
	rest := d.buf[d.used:d.have]
	if len(rest) > len(d.buf)/2 {
		d.buf = make([]byte, 2*len(d.buf))
	}
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
