package jsonrpc

// The effort that it may take to take a text apart level by level: so many times
// its size, or as much as takes a fraction of a second anyway.
const (
	fairTimes  = 8
	fairEffort = 256 << 20 // bytes
)

// Fair reports whether a valid JSON text can be taken apart by [ParseObject] and
// [ParseArray], level by level, with an effort that its size accounts for. A large
// value within hundreds of others is read hundreds of times over.
func Fair(text []byte) bool {
	var begins []int
	effort, most := 0, max(fairEffort, fairTimes*len(text))
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '{', '[':
			begins = append(begins, at)
		case '}', ']':
			last := len(begins) - 1
			if last < 0 {
				return false
			}
			if effort += at - begins[last]; effort > most {
				return false
			}
			begins = begins[:last]
		case '"':
			at = EndOfString(text, at) - 1
		}
	}
	return true
}

// EndOfString is where the string of a valid JSON text ends that begins at from.
func EndOfString(text []byte, from int) int {
	for at := from + 1; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(text)
}
