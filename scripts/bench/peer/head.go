package main

// A head is what a splicer must know of a message: where its id and its method
// stand in the line, and the name in its params, with the quotes. answer is
// whether it has a result or an error.
type head struct {
	id, method, name span
	answer           bool
}

// A span is a part of a line.
type span struct{ from, to int }

func (s span) found() bool           { return s.to > s.from }
func (s span) of(line []byte) []byte { return line[s.from:s.to] }

// headOf reads a line no further than it must: what decides mostly stands before
// what is large. It takes the line for the JSON that it should be.
func headOf(line []byte) (h head) {
	c := cursor{line: line}
	if !c.enter() {
		return h
	}
	for key := c.key(); key != nil; key = c.key() {
		switch string(key) {
		case "id":
			h.id = c.value()
		case "method":
			h.method = c.value()
		case "params":
			h.readParams(&c)
		case "result", "error":
			h.answer = true
			if h.id.found() {
				return h
			}
			c.value()
		default:
			c.value()
		}
	}
	return h
}

func (h *head) readParams(c *cursor) {
	if !c.enter() {
		c.value()
		return
	}
	for key := c.key(); key != nil; key = c.key() {
		value := c.value()
		if string(key) != "name" {
			continue
		}
		h.name = value
		if h.id.found() && h.method.found() {
			c.at = len(c.line)
			return
		}
	}
}

// A cursor goes through JSON. It goes nowhere past the end of the line.
type cursor struct {
	line []byte
	at   int
}

// peek returns the next byte that is no white space, 0 at the end.
func (c *cursor) peek() byte {
	for ; c.at < len(c.line); c.at++ {
		if b := c.line[c.at]; b > ' ' {
			return b
		}
	}
	return 0
}

// enter goes into an object, if one is next.
func (c *cursor) enter() bool {
	if c.peek() != '{' {
		return false
	}
	c.at++
	return true
}

// key returns the key of the next member and goes to its value, or behind the
// object if there is none: then it returns nil.
func (c *cursor) key() []byte {
	if c.peek() == ',' {
		c.at++
	}
	if c.peek() != '"' {
		c.at++
		return nil
	}
	from := c.at + 1
	c.passString()
	key := c.line[from:max(from, c.at-1)]
	if c.peek() == ':' {
		c.at++
	}
	return key
}

// value goes behind the next value.
func (c *cursor) value() span {
	c.peek()
	from := c.at
	for depth := 0; c.at < len(c.line); {
		switch c.line[c.at] {
		case '"':
			c.passString()
			if depth == 0 {
				return span{from, c.at}
			}
			continue
		case '{', '[':
			depth++
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return span{from, c.at}
			}
		case '}', ']':
			if depth == 0 {
				return span{from, c.at}
			}
			if depth--; depth == 0 {
				c.at++
				return span{from, c.at}
			}
		}
		c.at++
	}
	return span{from, c.at}
}

func (c *cursor) passString() {
	for c.at++; c.at < len(c.line); c.at++ {
		switch c.line[c.at] {
		case '\\':
			c.at++
		case '"':
			c.at++
			return
		}
	}
	c.at = len(c.line)
}
