// Package spell guesses what a mistyped word was meant to be.
package spell

import "strings"

// longest is the length from which on words are far from everything.
const longest = 64

// Nearest returns the candidate that word was most likely meant to be, or "":
// one that it begins, else the one with the fewest edits, up to a third of its
// length. Capitals in word do not count.
func Nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	if len(word) > longest {
		return ""
	}
	best, bestEdits := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if len(word) > 1 && strings.HasPrefix(c, word) {
			return c
		}
		if len(c) > longest {
			continue
		}
		if n := edits(word, c); n < bestEdits {
			best, bestEdits = c, n
		}
	}
	return best
}

// edits is the number of insertions, deletions, replacements and swaps of
// neighbours between two words (optimal string alignment).
func edits(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
