package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// fields reads members and remembers the first that is missing or of another
// type.
type fields struct {
	members []jsonrpc.Member
	room    []jsonrpc.Member // for those of the lists
	err     error
}

func (f *fields) fail(key string) {
	if f.err == nil {
		f.err = fmt.Errorf("missing or wrong member %q", key)
	}
}

func (f *fields) text(key string) string {
	value, err := jsonrpc.String(jsonrpc.Find(f.members, key))
	if err != nil {
		f.fail(key)
	}
	return value
}

func (f *fields) number(key string) int64 {
	n, err := strconv.ParseInt(string(jsonrpc.Find(f.members, key)), 10, 64)
	if err != nil {
		f.fail(key)
	}
	return n
}

func (f *fields) flag(key string) bool {
	value := string(jsonrpc.Find(f.members, key))
	if value != "true" && value != "false" {
		f.fail(key)
	}
	return value == "true"
}

// list reads a list whose items are the next pieces.
func (f *fields) list(key string, rest *pieces) List {
	members, err := jsonrpc.ParseObject(f.room[:0], jsonrpc.Find(f.members, key))
	if err != nil {
		f.fail(key)
		return List{}
	}
	f.room = members
	in := fields{members: members}
	l := List{
		Fetched: moment(in.number("fetched")),
		TTL:     time.Duration(in.number("ttl")) * time.Millisecond,
		Hinted:  in.flag("hinted"),
		Scope:   in.text("scope"),
	}
	if l.Items, err = rest.items(in.number("count"), in.number("index")); err != nil || in.err != nil {
		f.fail(key)
	}
	return l
}

// pieces takes a text apart into pieces that each have a newline behind them.
type pieces struct {
	text []byte
	err  error
}

var errLengths = errors.New("pieces do not have the lengths that they should")

// next returns the next piece, of n bytes; nil for none.
func (p *pieces) next(n int64) []byte {
	if n < 0 || n >= int64(len(p.text)) || p.text[n] != '\n' {
		p.err = errLengths
		return nil
	}
	piece := p.text[:n:n]
	p.text = p.text[n+1:]
	if n == 0 {
		return nil
	}
	return piece
}

// items returns the next count pieces as items, which come after an index of
// size bytes.
func (p *pieces) items(count, size int64) ([]Item, error) {
	index := p.next(size)
	if count < 0 || count > int64(len(index)) {
		return nil, errLengths
	}
	if count == 0 {
		return nil, nil
	}
	items := make([]Item, 0, count)
	for range count {
		var numbers [4]uint64
		for i := range numbers {
			n, width := binary.Uvarint(index)
			if width <= 0 || n > maxFile {
				return nil, errLengths
			}
			numbers[i], index = n, index[width:]
		}
		item, err := itemAt(p.next(int64(numbers[0])), int(numbers[1]), int(numbers[2]), traits(numbers[3]))
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nameAll(items)
}

// nameAll gives items their names. They are parts of one string: of what a start
// allocates for a server, names of their own would be a fifth.
func nameAll(items []Item) (err error) {
	size := 0
	for i := range items {
		size += len(items[i].RawName())
	}
	text, ends := make([]byte, 0, size), make([]int, len(items))
	for i := range items {
		if text, err = jsonrpc.AppendText(text, items[i].RawName()); err != nil {
			return errNameSpan
		}
		ends[i] = len(text)
	}
	names, start := string(text), 0
	for i, end := range ends {
		items[i].name, start = names[start:end], end
	}
	return nil
}

func appendText(dst []byte, key, value string) []byte {
	dst = append(jsonrpc.AppendString(dst, key), ':')
	return append(jsonrpc.AppendString(dst, value), ',')
}

func appendNumber(dst []byte, key string, value int64) []byte {
	dst = append(jsonrpc.AppendString(dst, key), ':')
	return append(strconv.AppendInt(dst, value, 10), ',')
}

func appendFlag(dst []byte, key string, value bool) []byte {
	dst = append(jsonrpc.AppendString(dst, key), ':')
	return append(strconv.AppendBool(dst, value), ',')
}

// millis is a time as files have it; a zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
