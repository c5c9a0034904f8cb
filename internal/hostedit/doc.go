// Package hostedit changes one entry in the text of a file that belongs to another
// program: an MCP host's settings, in JSON (with comments and trailing commas where
// the host allows them) or TOML. Everything outside of the entry stays as it is, to
// the byte; the entry itself is laid out as its neighbours are.
//
// It is pure: texts go in, texts come out. Where the files are, who may change them
// and what an entry has to say is known elsewhere.
//
// # Design
//
// A text is read into a tree of places, the edit is a few splices, and what comes
// out is read again: it must say what the change means and otherwise what it said
// before, or the edit is refused. So a fault in the splicing cannot spoil a file. What
// two readers could understand in different ways, such as a key that stands twice
// on the way to the entry, is refused as well.
package hostedit

import "fmt"

// A Language is what a file is written in.
//
// A path is the keys that lead from the top of the file to the entry. Values are
// JSON in every language. An error is an *Error, but for a value that is no JSON,
// or that the language cannot say.
type Language interface {
	// Find returns the value at a path, on one line and without its comments; nil
	// if there is none.
	Find(text []byte, path []string) ([]byte, error)

	// Set puts a value at a path, in the place of one that is there or as the last of
	// its neighbours. What is missing on the way is made.
	Set(text []byte, path []string, value []byte) ([]byte, error)

	// Remove takes out what is at a path, and nothing where nothing is. Of what
	// holds it, the innermost ones go with it if they hold nothing else; made is how
	// many of them, at most: Missing before Set.
	Remove(text []byte, path []string, made int) ([]byte, error)

	// Missing is how many of the objects on the way to a path are not there.
	Missing(text []byte, path []string) (int, error)
}

// An Error is a text that cannot be understood, or not be changed safely. It says
// what to do about it.
type Error struct {
	Line int // of the text, from 1
	Why  string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Why) }
