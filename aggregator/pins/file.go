package pins

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The file of a server is one JSON text with a pin on each line:
//
//	{"format":"weir pins 1","since":"2026-01-02T03:04:05Z","pins":[
//	{"kind":"tool","name":"echo","sha256":"…","at":"2026-01-02T03:04:05Z","definition":{…}},
//	{"kind":"tool","name":"add","sha256":"…","at":"2026-02-03T04:05:06Z","approved":true,"definition":{…}}
//	]}
const fileFormat = "weir pins 1"

// The bounds of a file. A server with more is none that anybody could look
// through; together they stay below what a file of state may be.
const (
	maxPins       = 10000
	maxAccepted   = 4         // definitions of one item
	maxDefinition = 256 << 10 // bytes of one that is kept; of a larger one only the digest is
	maxKept       = 8 << 20   // bytes of all that are kept
	maxHeads      = 4 << 20   // bytes of all that stands beside definitions
)

// ErrDamaged is in every error about a file that cannot be used.
var ErrDamaged = errors.New("pins are damaged")

// ErrFull is the error for more items than can be pinned.
var ErrFull = fmt.Errorf("too many definitions (want at most %d, %d MiB of names)", maxPins, maxHeads>>20)

func encodeBook(b *Book) ([]byte, error) {
	if len(b.pins) > maxPins {
		return nil, ErrFull
	}
	out := []byte(`{"format":"` + fileFormat + `","since":"` + b.Since.UTC().Format(time.RFC3339) + `","pins":[` + "\n")
	heads, kept := 0, 0
	for i := range b.pins {
		p := &b.pins[i]
		before := len(out)
		out = append(append(out, `{"kind":"`...), p.Kind.String()...)
		out = jsonrpc.AppendString(append(out, `","name":`...), p.Name)
		out = append(append(out, `,"sha256":"`...), p.Digest.String()...)
		out = append(append(out, `","at":"`...), p.At.UTC().Format(time.RFC3339)...)
		out = append(out, '"')
		if p.Approved {
			out = append(out, `,"approved":true`...)
		}
		heads += len(out) - before
		if n := len(p.Definition); n > 0 && n <= maxDefinition && kept+n <= maxKept {
			kept += n
			out = append(append(out, `,"definition":`...), p.Definition...)
		}
		out = append(out, "},\n"...)
	}
	if heads > maxHeads {
		return nil, ErrFull
	}
	if len(b.pins) > 0 {
		out = append(out[:len(out)-2], '\n')
	}
	return append(out, "]}\n"...), nil
}

// decodeBook reads a file. The definitions alias it.
func decodeBook(file []byte) (*Book, error) {
	members, err := jsonrpc.ParseObject(nil, file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if format, err := jsonrpc.String(jsonrpc.Find(members, "format")); err != nil || format != fileFormat {
		return nil, fmt.Errorf("%w: format %q (want %q)", ErrDamaged, format, fileFormat)
	}
	since, err := moment(members, "since")
	if err != nil {
		return nil, err
	}
	lines, err := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "pins"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	all := make([]Pin, len(lines))
	var room [8]jsonrpc.Member
	for i, line := range lines {
		if all[i], err = decodePin(room[:0], line); err != nil {
			return nil, fmt.Errorf("pin %d: %w", i+1, err)
		}
	}
	return newBook(since, all), nil
}

func decodePin(room []jsonrpc.Member, line []byte) (p Pin, err error) {
	members, err := jsonrpc.ParseObject(room, line)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	kind, _ := jsonrpc.String(jsonrpc.Find(members, "kind"))
	known := false
	if p.Kind, known = parseKind(kind); !known {
		return p, fmt.Errorf("%w: kind %q", ErrDamaged, kind)
	}
	if p.Name, err = jsonrpc.String(jsonrpc.Find(members, "name")); err != nil {
		return p, fmt.Errorf("%w: name: %w", ErrDamaged, err)
	}
	digest, _ := jsonrpc.String(jsonrpc.Find(members, "sha256"))
	if sum, err := hex.DecodeString(digest); err != nil || copy(p.Digest[:], sum) != len(p.Digest) || len(sum) != len(p.Digest) {
		return p, fmt.Errorf("%w: sha256 %q", ErrDamaged, digest)
	}
	if p.At, err = moment(members, "at"); err != nil {
		return p, err
	}
	p.Approved, _ = strconv.ParseBool(string(jsonrpc.Find(members, "approved")))
	p.Definition = slices.Clip(jsonrpc.Find(members, "definition"))
	return p, nil
}

func moment(members []jsonrpc.Member, key string) (time.Time, error) {
	text, _ := jsonrpc.String(jsonrpc.Find(members, key))
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %s: time %q", ErrDamaged, key, text)
	}
	return t, nil
}
