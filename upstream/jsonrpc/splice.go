package jsonrpc

// An Edit replaces At, a slice of the text that is spliced (empty: an
// insertion point), by With.
type Edit struct {
	At   []byte
	With []byte
}

// Splice appends raw to dst with the edits applied. Each At must be a slice of
// raw itself, as [Message.Parse] and [ParseObject] leave them, and not cut in
// capacity; the edits stand in the order of the text and do not overlap. Splice
// panics if they are anything else. dst must not alias raw.
func Splice(dst, raw []byte, edits ...Edit) []byte {
	from := 0
	for _, e := range edits {
		at := offset(raw, e.At)
		dst = append(append(dst, raw[from:at]...), e.With...)
		from = at + len(e.At)
	}
	return append(dst, raw[from:]...)
}

// Cut splits raw around at, which must be a slice of it as for [Splice],
// without copying.
func Cut(raw, at []byte) (before, after []byte) {
	i := offset(raw, at)
	return raw[:i], raw[i+len(at):]
}

// offset is where part begins in whole. Slices of one array that end with it
// differ in capacity by the distance of their beginnings. Slices that do not, or
// a part of another text, would corrupt a message: that is a mistake of the
// caller and panics.
func offset(whole, part []byte) int {
	i := cap(whole) - cap(part)
	if cap(part) == 0 || i < 0 || i+len(part) > len(whole) || &whole[:i+1][i] != &part[:1][0] {
		panic("jsonrpc: splicing at what is not a part of the text")
	}
	return i
}

// AppendObject appends an object of the given members, with their names and
// values as they stand. A member whose Value is nil is left out.
func AppendObject(dst []byte, members []Member) []byte {
	dst = append(dst, '{')
	first := true
	for i := range members {
		if members[i].Value == nil {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, members[i].Name...)
		dst = append(dst, ':')
		dst = append(dst, members[i].Value...)
	}
	return append(dst, '}')
}

// NewMember returns a member to write; value is raw JSON.
func NewMember(key string, value []byte) Member {
	return Member{Key: []byte(key), Name: AppendString(nil, key), Value: value}
}
