// Peer is what the benchmark puts around a gateway. It links next to nothing,
// so that it starts quickly and stays small:
//
//	peer floor COMMAND ARG...   a byte relay to one child: what any gateway must cost
//	peer tools N                a server with the tools below, and more of them up to N
//	peer file NAME              a server that lists the bytes of a file
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
		return fmt.Errorf("want floor, tools or file, and what for")
	}
	switch args[0] {
	case "floor":
		return relay(args[1], args[2:])
	case "tools":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return serve(&server{list: makeList(n)})
	case "file":
		list, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		return serve(&server{list: list})
	}
	return fmt.Errorf("unknown role %q", args[0])
}

func relay(command string, args []string) error {
	child := exec.Command(command, args...)
	in, err := child.StdinPipe()
	if err != nil {
		return err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
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

// A server has one goroutine: no tool of it takes time.
type server struct {
	list []byte   // the result of tools/list
	held [][]byte // ids of the calls that wait for a release
	size int
	text []byte // of this size
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
		return write(m.ID, []byte(`{"protocolVersion":`), jsonrpc.Find(m.Fields, "protocolVersion"),
			[]byte(`,"capabilities":{"tools":{}},"serverInfo":{"name":"peer","version":"1"}}`))
	case "tools/list":
		return write(m.ID, s.list)
	case "tools/call":
		return s.call(m)
	case "ping":
		return write(m.ID, []byte("{}"))
	}
	return writeAs("error", m.ID, []byte(`{"code":-32601,"message":"Method not found"}`))
}

func (s *server) call(m *jsonrpc.Message) error {
	switch string(jsonrpc.Find(m.Fields, "name")) {
	case `"bytes"`:
		return write(m.ID, []byte(`{"content":[{"type":"text","text":"`), s.textOf(jsonrpc.Find(m.Fields, "arguments")), []byte(`"}]}`))
	case `"hold"`:
		s.held = append(s.held, bytes.Clone(m.ID))
		return nil
	case `"release"`:
		for _, id := range s.held {
			if err := write(id, []byte(`{"content":[]}`)); err != nil {
				return err
			}
		}
		s.held = nil
		return write(m.ID, []byte(`{"content":[]}`))
	}
	return write(m.ID, []byte(`{"content":[{"type":"text","text":"ok"}],"structuredContent":`), jsonrpc.Find(m.Fields, "arguments"), []byte(`}`))
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

func write(id []byte, result ...[]byte) error { return writeAs("result", id, result...) }

var (
	line bytes.Buffer
	end  = []byte("}\n")
)

// writeAs writes small answers in one piece, and does not copy large ones.
func writeAs(member string, id []byte, value ...[]byte) error {
	line.Reset()
	line.WriteString(`{"jsonrpc":"2.0","id":`)
	line.Write(id)
	line.WriteString(`,"` + member + `":`)
	for _, part := range append(value, end) {
		if len(part) < jsonrpc.Large {
			line.Write(part)
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if _, err := os.Stdout.Write(part); err != nil {
			return err
		}
	}
	return flush()
}

func flush() error {
	_, err := os.Stdout.Write(line.Bytes())
	line.Reset()
	return err
}
