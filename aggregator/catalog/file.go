package catalog

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The file of a server is a first line, and then one section after another, the
// most recently listed first:
//
//	weir lists 4 89abcdef                      format, CRC-32C of all that follows
//	{"modern":true,…,"size":4711}              a section: one line of JSON,
//	{"name":"x","version":"1.0"}               and 4711 bytes of pieces, each with
//	…                                          a newline behind it: JSON of the
//	{"name":"echo",…}                          server's, and indexes of items
//
// The line says how long the pieces are, but for the items, of which the index
// does: four uvarints each, its length, where its name begins and where it ends,
// and its traits.
//
// A change of this is another format, whose number stands in the names of its
// files too: weirs of several versions use one folder without knowing of each
// other. The first line keeps its shape.
const (
	format      = "weir lists "
	number      = "4"
	magic       = format + number + " "
	checksumLen = 8
	firstLine   = len(magic) + checksumLen + 1
)

const (
	maxFile     = 16 << 20 // bytes: four thousand items of 4 KB
	maxVariants = 8        // more than one person has sorts of hosts
)

// ErrDamaged is in every error about a stored file that cannot be used.
var ErrDamaged = errors.New("stored lists are damaged")

// errOlder is the error for a file that an older version of weir has written. It
// is as nothing, and is replaced.
var errOlder = fmt.Errorf("%w: an older format", ErrDamaged)

// A newerError is the error for a file that a newer version of weir has written,
// and not under the name that it has for its own. It is put aside.
type newerError struct {
	number string // of its format
}

func (e *newerError) Error() string {
	return "they are in format " + e.number + ", of a newer version of weir"
}

func (e *newerError) Unwrap() error { return ErrDamaged }

// A section is one variant in a file. raw is all of it, ready to be written
// again; members and body are what it is made of.
type section struct {
	variant Variant
	known   bool
	raw     []byte
	members []jsonrpc.Member
	body    []byte
}

// encodeFile writes as many sections as fit, the first ones first.
func encodeFile(sections []section) []byte {
	size := firstLine
	for i := range sections {
		if i == maxVariants || size+len(sections[i].raw) > maxFile {
			sections = sections[:i]
			break
		}
		size += len(sections[i].raw)
	}
	file := make([]byte, firstLine, size)
	for i := range sections {
		file = append(file, sections[i].raw...)
	}
	copy(file, magic)
	copy(file[len(magic):], checksum(file[firstLine:]))
	file[firstLine-1] = '\n'
	return file
}

// decodeFile takes a file apart. The sections alias it.
func decodeFile(file []byte) ([]section, error) {
	if err := otherFormat(file); err != nil {
		return nil, err
	}
	if len(file) < firstLine || string(file[:len(magic)]) != magic || file[firstLine-1] != '\n' {
		return nil, fmt.Errorf("%w: unknown first line", ErrDamaged)
	}
	rest := file[firstLine:]
	if string(file[len(magic):firstLine-1]) != string(checksum(rest)) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	var sections []section
	for len(rest) > 0 {
		s, err := decodeSection(rest)
		if err != nil {
			return nil, fmt.Errorf("%w: section %d: %w", ErrDamaged, len(sections), err)
		}
		sections = append(sections, s)
		rest = rest[len(s.raw):]
	}
	return sections, nil
}

// otherFormat is the error for a file that another version of weir has written.
func otherFormat(file []byte) error {
	if bytes.HasPrefix(file, []byte(magic)) || !bytes.HasPrefix(file, []byte(format)) {
		return nil
	}
	line, rest, whole := bytes.Cut(file[len(format):], []byte{'\n'})
	its, sum, _ := strings.Cut(string(line), " ")
	if !isNewer(its) {
		return errOlder
	}
	if !whole || sum != string(checksum(rest)) {
		return fmt.Errorf("%w: wrong checksum", ErrDamaged) // it may as well be one of this format
	}
	return &newerError{its}
}

// isNewer reports whether a format has a larger number than this one.
func isNewer(its string) bool {
	n, err := strconv.Atoi(its)
	ours, _ := strconv.Atoi(number)
	return err == nil && n > ours
}

func checksum(data []byte) []byte {
	sum := crc32.ChecksumIEEE(data) // the tables of other polynomials cost every start 0.2 ms
	return hex.AppendEncode(nil, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

// decodeSection takes the section that text begins with.
func decodeSection(text []byte) (section, error) {
	line, body, ok := bytes.Cut(text, []byte{'\n'})
	if !ok {
		return section{}, errors.New("no end of its first line")
	}
	members, err := jsonrpc.ParseObject(make([]jsonrpc.Member, 0, 16), line)
	if err != nil {
		return section{}, err
	}
	f := fields{members: members}
	s := section{
		variant: Variant{Modern: f.flag("modern"), Capabilities: f.text("capabilities")},
		known:   f.flag("known"),
		members: members,
	}
	size := f.number("size")
	if f.err != nil {
		return section{}, f.err
	}
	if size < 0 || size > int64(len(body)) {
		return section{}, fmt.Errorf("size %d of %d bytes", size, len(body))
	}
	s.body = body[:size]
	s.raw = text[:len(line)+1+int(size)]
	return s, nil
}

// encodeSection makes a section of lists.
func encodeSection(v Variant, l *Lists) section {
	body := appendPiece(nil, l.ServerInfo)
	body = appendPiece(body, l.Capabilities)
	var indexes [Kinds]int64 // their lengths
	for k := range Kind(Kinds) {
		items := l.Of(k).Items
		index := appendIndex(nil, items)
		indexes[k] = len64(index)
		body = appendItems(appendPiece(body, index), items)
	}

	line := append(make([]byte, 0, 512+len(l.Instructions)), '{')
	line = appendFlag(line, "modern", v.Modern)
	line = appendText(line, "capabilities", v.Capabilities)
	line = appendFlag(line, "known", l.Known())
	line = appendText(line, "spokenVersion", l.Version)
	line = appendFlag(line, "spokenModern", l.Modern)
	line = appendText(line, "instructions", l.Instructions)
	line = appendText(line, "failureKind", l.Failure.Kind)
	line = appendText(line, "failureText", l.Failure.Text)
	line = appendNumber(line, "failureAt", millis(l.Failure.At))
	line = appendNumber(line, "serverInfo", len64(l.ServerInfo))
	line = appendNumber(line, "serverCapabilities", len64(l.Capabilities))
	for k := range Kind(Kinds) {
		line = appendList(line, kinds[k].list, l.Of(k), indexes[k])
	}
	line = appendNumber(line, "size", len64(body))
	line[len(line)-1] = '}' // in place of the last comma
	line = append(line, '\n')
	return section{variant: v, known: l.Known(), raw: append(line, body...)}
}

func len64(piece []byte) int64 { return int64(len(piece)) }

func appendList(dst []byte, key string, l *List, index int64) []byte {
	dst = append(jsonrpc.AppendString(dst, key), ":{"...)
	dst = appendNumber(dst, "fetched", millis(l.Fetched))
	dst = appendNumber(dst, "ttl", max(0, l.TTL.Milliseconds()))
	dst = appendFlag(dst, "hinted", l.Hinted)
	dst = appendText(dst, "scope", l.Scope)
	dst = appendNumber(dst, "count", int64(len(l.Items)))
	dst = appendNumber(dst, "index", index)
	dst[len(dst)-1] = '}'
	return append(dst, ',')
}

func appendIndex(dst []byte, items []Item) []byte {
	for _, item := range items {
		dst = binary.AppendUvarint(dst, uint64(len(item.raw)))
		dst = binary.AppendUvarint(dst, uint64(item.nameAt))
		dst = binary.AppendUvarint(dst, uint64(item.nameEnd))
		dst = binary.AppendUvarint(dst, uint64(item.traits))
	}
	return dst
}

func appendItems(dst []byte, items []Item) []byte {
	size := 0
	for _, item := range items {
		size += len(item.raw) + 1
	}
	dst = slices.Grow(dst, size)
	for _, item := range items {
		dst = appendPiece(dst, item.raw)
	}
	return dst
}

func appendPiece(dst, piece []byte) []byte {
	return append(append(dst, piece...), '\n')
}

// lists reads the lists of a section. They alias it.
func (s *section) lists() (*Lists, error) {
	f := fields{members: s.members, room: make([]jsonrpc.Member, 0, 8)}
	rest := pieces{text: s.body}
	l := &Lists{
		Version:      f.text("spokenVersion"),
		Modern:       f.flag("spokenModern"),
		Instructions: f.text("instructions"),
		Failure: Failure{
			Kind: f.text("failureKind"),
			Text: f.text("failureText"),
			At:   moment(f.number("failureAt")),
		},
		ServerInfo:   rest.next(f.number("serverInfo")),
		Capabilities: rest.next(f.number("serverCapabilities")),
	}
	for k := range Kind(Kinds) {
		*l.Of(k) = f.list(kinds[k].list, &rest)
	}
	if err := cmp.Or(f.err, rest.err); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return l, nil
}
