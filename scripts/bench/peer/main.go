// Peer is what the benchmark puts around a gateway. It links next to nothing,
// so that it starts quickly and stays small:
//
//	peer floor COMMAND ARG...           a byte relay to one child: what any gateway must cost
//	peer splice PREFIX COMMAND ARG...   a relay of messages: what one must cost that knows them
//	peer tools N                        a server with the tools below, and more of them up to N
//	peer file NAME                      a server that lists the bytes of a file
//
// The tools are "echo", which returns its arguments; "bytes", which returns a
// text of arguments.n bytes; "hold", which answers when "release" is called.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("want floor, splice, tools or file, and what for")
	}
	switch args[0] {
	case "floor":
		return relay(args[1], args[2:])
	case "splice":
		if len(args) < 3 {
			return errors.New("want a prefix and a command")
		}
		return splice(args[1], args[2], args[3:])
	case "tools":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return serve(&server{out: os.Stdout, list: makeList(n)})
	case "file":
		list, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		return serve(&server{out: os.Stdout, list: list})
	}
	return fmt.Errorf("unknown role %q", args[0])
}

func relay(command string, args []string) error {
	child, in, out, err := startChild(command, args)
	if err != nil {
		return err
	}
	go func() {
		defer in.Close()
		// However it ends, the child sees the end of its input.
		_, _ = io.Copy(in, os.Stdin)
	}()
	if _, err := io.Copy(os.Stdout, out); err != nil {
		return err
	}
	return child.Wait()
}

func startChild(command string, args []string) (child *exec.Cmd, in io.WriteCloser, out io.ReadCloser, err error) {
	child = exec.Command(command, args...)
	if in, err = child.StdinPipe(); err != nil {
		return nil, nil, nil, err
	}
	if out, err = child.StdoutPipe(); err != nil {
		return nil, nil, nil, err
	}
	return child, in, out, child.Start()
}

// makeList is the result of tools/list with n tools of an ordinary size.
func makeList(n int) []byte {
	names := []string{"echo", "bytes", "hold", "release"}
	var b bytes.Buffer
	b.WriteString(`{"tools":[`)
	for i := range n {
		name := "tool_" + strconv.Itoa(i)
		if i < len(names) {
			name = names[i]
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":"` + name + `","title":"A tool","description":"Does what a tool of its kind does, and says so in a sentence or two. ` +
			`Use it when you need to know how long a list of tools takes.","inputSchema":{"type":"object","properties":{` +
			`"path":{"type":"string","description":"where to look"},"limit":{"type":"integer","minimum":1,"maximum":100,"default":10},` +
			`"mode":{"type":"string","enum":["fast","thorough"]}},"required":["path"]},"annotations":{"readOnlyHint":true}}`)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// A server has one goroutine: no tool of it takes time. It writes each answer
// when it is made, as servers do, and not several together: with those a relay
// would move blocks, and not be what it is before any server that there is.
type server struct {
	out  io.Writer
	list []byte   // the result of tools/list
	held [][]byte // ids of the calls that wait for a release
	size int
	text []byte // of this size
	line []byte // what is written next; its memory serves again
}

func serve(s *server) error {
	r := jsonrpc.NewReader(os.Stdin, 64<<20, nil)
	var m jsonrpc.Message
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if m.Parse(line) != nil || m.Kind != jsonrpc.Request {
			continue
		}
		if err := s.answer(&m); err != nil {
			return err
		}
	}
}

func (s *server) answer(m *jsonrpc.Message) error {
	switch string(m.Method) {
	case "initialize":
		s.begin(m.ID)
		s.line = append(s.line, `{"protocolVersion":`...)
		s.line = append(s.line, jsonrpc.Find(m.Fields, "protocolVersion")...)
		s.line = append(s.line, `,"capabilities":{"tools":{}},"serverInfo":{"name":"peer","version":"1"}}`...)
		return s.end()
	case "tools/list":
		return s.whole(m.ID, s.list)
	case "tools/call":
		return s.call(m)
	case "ping":
		return s.whole(m.ID, []byte("{}"))
	}
	s.head(m.ID, "error")
	s.line = append(s.line, `{"code":-32601,"message":"Method not found"}`...)
	return s.end()
}

var empty = []byte(`{"content":[]}`)

func (s *server) call(m *jsonrpc.Message) error {
	switch string(jsonrpc.Find(m.Fields, "name")) {
	case `"bytes"`:
		s.begin(m.ID)
		s.line = append(s.line, `{"content":[{"type":"text","text":"`...)
		if err := s.add(s.textOf(jsonrpc.Find(m.Fields, "arguments"))); err != nil {
			return err
		}
		s.line = append(s.line, `"}]}`...)
		return s.end()
	case `"hold"`:
		s.held = append(s.held, bytes.Clone(m.ID))
		return nil
	case `"release"`:
		for _, id := range s.held {
			if err := s.whole(id, empty); err != nil {
				return err
			}
		}
		s.held = nil
		return s.whole(m.ID, empty)
	}
	s.begin(m.ID)
	s.line = append(s.line, `{"content":[{"type":"text","text":"ok"}],"structuredContent":`...)
	if err := s.add(jsonrpc.Find(m.Fields, "arguments")); err != nil {
		return err
	}
	s.line = append(s.line, '}')
	return s.end()
}

// textOf returns arguments.n bytes of text, in lines, with quotes and a
// letter that is not ASCII in each.
func (s *server) textOf(arguments []byte) []byte {
	members, err := jsonrpc.ParseObject(nil, arguments)
	if err != nil {
		return nil
	}
	n, err := strconv.Atoi(string(jsonrpc.Find(members, "n")))
	if err != nil {
		return nil
	}
	if n != s.size {
		const line = `The quick brown fox jumps over the lazy dog, \"and so on\"; größer als 0123456789 is what it says.\n`
		s.text = bytes.Repeat([]byte(line), n/len(line)+1)
		s.size = n
	}
	return s.text
}

// whole answers with a result that is there already.
func (s *server) whole(id, result []byte) error {
	s.begin(id)
	if err := s.add(result); err != nil {
		return err
	}
	return s.end()
}

// begin begins a line with a result, which is added to it.
func (s *server) begin(id []byte) { s.head(id, "result") }

func (s *server) head(id []byte, member string) {
	s.line = append(s.line[:0], `{"jsonrpc":"2.0","id":`...)
	s.line = append(s.line, id...)
	s.line = append(s.line, `,"`...)
	s.line = append(s.line, member...)
	s.line = append(s.line, `":`...)
}

// add does not copy what is large, but writes it.
func (s *server) add(part []byte) error {
	if len(part) < jsonrpc.Large {
		s.line = append(s.line, part...)
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	_, err := s.out.Write(part)
	return err
}

func (s *server) end() error {
	s.line = append(s.line, "}\n"...)
	return s.flush()
}

func (s *server) flush() error {
	_, err := s.out.Write(s.line)
	s.line = s.line[:0]
	return err
}
