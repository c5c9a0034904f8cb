package main

import "strings"

// A piece of a text is a paragraph, a heading, or a block of lines that stand as
// they are.
type piece struct {
	kind  kind
	lines []string // of a block without what they have in common at their left
}

type kind int

const (
	paragraph kind = iota
	heading
	block
)

// piecesOf takes a text apart: what is indented is a block, with the empty lines
// inside it; a line that begins with words in capitals is a heading.
func piecesOf(text string) (all []piece) {
	var open *piece
	empty := 0
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			empty++
			continue
		}
		k := kindOf(line)
		switch {
		case open == nil, open.kind != k, k == heading, k == paragraph && empty > 0:
			all = append(all, piece{kind: k})
			open = &all[len(all)-1]
		case k == block:
			open.lines = append(open.lines, make([]string, empty)...)
		}
		open.lines = append(open.lines, line)
		empty = 0
	}
	for _, p := range all {
		if p.kind == block {
			unindent(p.lines)
		}
	}
	return all
}

func kindOf(line string) kind {
	first, _, _ := strings.Cut(line, " ")
	switch {
	case first == "":
		return block
	case len(first) > 1 && strings.ToUpper(first) == first && strings.ToLower(first) != first:
		return heading
	}
	return paragraph
}

// unindent takes away what all lines begin with.
func unindent(lines []string) {
	least := -1
	for _, line := range lines {
		if n := len(line) - len(strings.TrimLeft(line, " ")); line != "" && (least < 0 || n < least) {
			least = n
		}
	}
	for i, line := range lines {
		if line != "" {
			lines[i] = line[least:]
		}
	}
}
