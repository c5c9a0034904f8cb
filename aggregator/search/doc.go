// Package search finds tools by what somebody says they want to do. It is pure:
// an index is made of definitions once and then only read.
//
// # Design
//
// A definition is taken apart into words: names at _ - . / and where camelCase
// begins a new word, texts at all that is no letter or digit. Words are compared
// without case and without the endings of plurals and verbs (words.go). Each
// counts by where it stands, most in the name, least in what is said of an
// argument, and a definition is ranked by BM25 over these counts.
//
// What is asked for is rarely said in the tool's own words. So a word of a query
// is also looked for as the beginning of a longer one, as a longer one with the
// same beginning, as two words written as one, and as those of a short list of words that mean
// the same in names of tools (synonyms.go), for less each time. The best of these is what the
// word is worth for a tool: one that says the same in four ways is no better
// than one that says it once.
//
// Equal queries over equal definitions have equal answers, in which ties go to
// what was added first.
package search
