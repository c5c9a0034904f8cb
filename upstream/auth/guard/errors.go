package guard

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A RefusedError is a URL that weir does not go to. It was not asked for
// anything.
type RefusedError struct {
	URL    string // without its query, or the host where no more is known; fit to be printed
	Reason string // a sentence about it that begins with a verb
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%q is refused: it %s", e.URL, e.Reason)
}

// A TooLargeError is an answer that is larger than what is read.
type TooLargeError struct {
	Limit int64 // in bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d bytes", e.Limit)
}

const maxShown = 200

// Printable makes a text that a stranger wrote fit to be shown: at most 200
// characters of it, all of them printable.
func Printable(text string) string {
	var shown strings.Builder
	for count := 0; text != "" && count < maxShown; count++ {
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		if !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		shown.WriteRune(r)
	}
	if text != "" {
		shown.WriteString("…")
	}
	return shown.String()
}

// Bare is a URL as it may be shown and logged: without user, query and fragment,
// which may hold secrets, and Printable.
func Bare(address string) string {
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	if scheme, rest, ok := strings.Cut(address, "//"); ok {
		authority, path, slash := strings.Cut(rest, "/")
		authority = authority[strings.LastIndexByte(authority, '@')+1:]
		address = scheme + "//" + authority
		if slash {
			address += "/" + path
		}
	}
	return Printable(address)
}

// A fetchError is what went wrong with a request. It does without the URL that
// net/http adds, whose query may hold secrets, and is fit to be printed.
type fetchError struct {
	url string
	err error
}

func newFetchError(address string, err error) error {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		err = refused
	} else if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return &fetchError{Bare(address), err}
}

func (e *fetchError) Error() string {
	return fmt.Sprintf("fetching %q: %s", e.url, Printable(e.err.Error()))
}

func (e *fetchError) Unwrap() error { return e.err }
