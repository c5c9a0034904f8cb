package search

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Field is where in a definition a text stands.
type Field uint8

// The fields of a definition.
const (
	Name Field = iota
	Title
	Server
	Description
	Argument            // the name of one
	ArgumentDescription // what is said of one, and the values that it may have
	fields
)

// weights are how much a word counts by where it stands.
var weights = [fields]float32{Name: 4, Title: 2, Server: 1.5, Description: 1, Argument: 0.6, ArgumentDescription: 0.1}

// The parameters of BM25: how soon it makes no difference that a word stands there
// once more, and how much longer definitions are held to be longer for no reason.
const (
	saturation = 1.2
	lengthwise = 0.9
)

// How much a word is worth that is not the one that was asked for.
const (
	worthAlike  = 0.65 // it means the same
	worthBegins = 0.6  // one of the two begins with the other; less the longer the rest
	worthJoined = 0.9  // it is two words of the query in one
)

// Bounds of what a query can cost.
const (
	maxQuery   = 1000 // bytes of it that are looked at
	maxAsked   = 32   // words
	minBegin   = 3    // letters of a word by which it is found as the beginning of another
	maxLongers = 32   // words that begin with one of the query
)

// A Builder makes an Index. The zero Builder is empty and ready for use, by one
// goroutine.
type Builder struct {
	index Index
	split splitter
	room  []jsonrpc.Member  // for those of the definition
	known map[string]uint32 // numbers, by words as they are written; nothing for silent ones

	told   []telling // in the order in which it was found out
	latest []int     // how many were told with the latest of each number; 0 for none
}

// A telling is a posting of a word.
type telling struct {
	number uint32
	posting
}

// An Index is definitions that can be searched. It is immutable, and safe for
// concurrent use. The zero Index is empty.
type Index struct {
	numbers map[string]uint32 // of words, by their stems
	words   []string
	found   [][]posting // by the numbers
	lengths []float32   // of the definitions, weighted
	average float32

	sorted []uint32 // the numbers in the order of their words
}

// nothing is the number of a word that says nothing.
const nothing = math.MaxUint32

// A posting says that a word stands in a definition.
type posting struct {
	at    uint32
	count float32 // weighted by where
}

// A Hit is a definition that was found.
type Hit struct {
	At    int // as many were added before it
	Score float32
}

// Begin begins the next definition.
func (b *Builder) Begin() {
	b.index.lengths = append(b.index.lengths, 0)
}

// Text adds a text to the definition that was begun last.
func (b *Builder) Text(f Field, text []byte) {
	b.split.words(text, func(word []byte) { b.word(f, word) })
}

func (b *Builder) word(f Field, word []byte) {
	number, known := b.known[string(word)]
	if !known {
		number = b.learn(string(word))
	}
	if number == nothing {
		return
	}
	x, weight := &b.index, weights[f]
	at := len(x.lengths) - 1
	x.lengths[at] += weight
	if latest := b.latest[number]; latest > 0 && b.told[latest-1].at == uint32(at) {
		b.told[latest-1].count += weight
		return
	}
	b.told = append(b.told, telling{number, posting{at: uint32(at), count: weight}})
	b.latest[number] = len(b.told)
}

// learn gives a word its number, which all that have its stem share.
func (b *Builder) learn(word string) uint32 {
	if b.known == nil {
		b.known = make(map[string]uint32)
	}
	number := uint32(nothing)
	if !silent()[word] {
		number = b.enter(stem(word))
	}
	b.known[word] = number
	return number
}

// enter returns the number of a stem.
func (b *Builder) enter(word string) uint32 {
	x := &b.index
	if number, known := x.numbers[word]; known {
		return number
	}
	if x.numbers == nil {
		x.numbers = make(map[string]uint32)
	}
	number := uint32(len(x.words))
	x.numbers[word] = number
	x.words = append(x.words, word)
	b.latest = append(b.latest, 0)
	return number
}

// Index is what was added. The Builder is empty then.
func (b *Builder) Index() *Index {
	x := b.index
	x.found = gather(b.told, len(x.words))
	*b = Builder{}
	var total float64
	for _, length := range x.lengths {
		total += float64(length)
	}
	x.average = max(1, float32(total/float64(max(1, len(x.lengths)))))
	x.sorted = make([]uint32, len(x.words))
	for i := range x.sorted {
		x.sorted[i] = uint32(i)
	}
	slices.SortFunc(x.sorted, func(a, b uint32) int { return strings.Compare(x.words[a], x.words[b]) })
	return &x
}

// gather puts together what was told of each word.
func gather(told []telling, words int) [][]posting {
	counts := make([]int, words)
	for _, t := range told {
		counts[t.number]++
	}
	all := make([]posting, len(told))
	found := make([][]posting, words)
	for number, n := range counts {
		found[number], all = all[:0:n], all[n:]
	}
	for _, t := range told {
		found[t.number] = append(found[t.number], t.posting)
	}
	return found
}

// Len is how many definitions there are.
func (x *Index) Len() int { return len(x.lengths) }

// Find returns what fits a query best, best first, at most limit. A query that says
// nothing finds nothing.
func (x *Index) Find(query string, limit int) []Hit {
	if len(x.lengths) == 0 || limit <= 0 {
		return nil
	}
	sum := tally{scores: make([]float32, len(x.lengths))}
	one := tally{scores: make([]float32, len(x.lengths))}
	for _, asked := range x.read(query) {
		for _, v := range asked {
			x.add(&one, v)
		}
		one.moveTo(&sum)
	}
	return sum.best(limit)
}

// A variant is a word of the index that stands for one of a query.
type variant struct {
	number uint32
	worth  float32
}

// read is, for each word of a query, the words of the index that it may be.
func (x *Index) read(query string) [][]variant {
	var asked [][]variant
	for _, word := range wordsOf(query) {
		if v := x.variants(word); len(v) > 0 {
			asked = append(asked, v)
		}
	}
	return asked
}

// wordsOf are the words of a query, as they are to be looked for: their stems, none
// twice, and neighbours as one word. If all are silent none is.
func wordsOf(query string) []askedWord {
	if len(query) > maxQuery {
		query = query[:maxQuery]
	}
	var all, said []askedWord
	var before string
	var s splitter
	s.words([]byte(query), func(raw []byte) {
		text := string(raw)
		quiet := silent()[text]
		if before != "" && len(before)+len(text) <= maxWord {
			said = with(said, askedWord{text: stem(before + text), joined: true})
		}
		before = text
		word := askedWord{text: stem(text)}
		all = with(all, word)
		if !quiet {
			said = with(said, word)
		}
	})
	if !slices.ContainsFunc(said, func(w askedWord) bool { return !w.joined }) {
		said = append(said, all...)
	}
	return said[:min(len(said), 2*maxAsked)]
}

// An askedWord is a word of a query.
type askedWord struct {
	text   string
	joined bool // two of them
}

// with adds a word that is not there yet.
func with(words []askedWord, word askedWord) []askedWord {
	if slices.ContainsFunc(words, func(w askedWord) bool { return w.text == word.text }) {
		return words
	}
	return append(words, word)
}

// variants are the words of the index that a word may be, none twice.
func (x *Index) variants(word askedWord) []variant {
	if word.joined {
		if number, known := x.numbers[word.text]; known {
			return []variant{{number, worthJoined}}
		}
		return nil
	}
	var found []variant
	if number, known := x.numbers[word.text]; known {
		found = append(found, variant{number, 1})
	}
	for _, other := range alike()[word.text] {
		if number, known := x.numbers[other]; known {
			found = append(found, variant{number, worthAlike})
		}
	}
	found = x.shorter(found, word.text)
	return x.longer(found, word.text)
}

// shorter adds the words that a word begins with.
func (x *Index) shorter(found []variant, word string) []variant {
	for n := len(word) - 1; n >= minBegin; n-- {
		if number, known := x.numbers[word[:n]]; known {
			found = append(found, variant{number, worthBegins * float32(n) / float32(len(word))})
		}
	}
	return found
}

// longer adds the words that begin with a word.
func (x *Index) longer(found []variant, word string) []variant {
	if len(word) < minBegin {
		return found
	}
	from := sort.Search(len(x.sorted), func(i int) bool { return x.words[x.sorted[i]] > word })
	for _, number := range x.sorted[from:min(len(x.sorted), from+maxLongers)] {
		longer := x.words[number]
		if !strings.HasPrefix(longer, word) {
			break
		}
		found = append(found, variant{number, worthBegins * float32(len(word)) / float32(len(longer))})
	}
	return found
}

// add gives every definition that has the word what that is worth to it, unless it
// has more already.
func (x *Index) add(to *tally, v variant) {
	found := x.found[v.number]
	rarity := float32(math.Log1p((float64(len(x.lengths)-len(found)) + 0.5) / (float64(len(found)) + 0.5)))
	for _, p := range found {
		length := 1 - lengthwise + lengthwise*x.lengths[p.at]/x.average
		to.atLeast(p.at, v.worth*rarity*p.count*(saturation+1)/(p.count+saturation*length))
	}
}

// A tally is the scores of definitions.
type tally struct {
	scores  []float32
	touched []uint32 // those that have one
}

func (t *tally) atLeast(at uint32, score float32) {
	if t.scores[at] == 0 {
		t.touched = append(t.touched, at)
	}
	t.scores[at] = max(t.scores[at], score)
}

// moveTo adds all scores to another tally, and leaves none.
func (t *tally) moveTo(sum *tally) {
	for _, at := range t.touched {
		if sum.scores[at] == 0 {
			sum.touched = append(sum.touched, at)
		}
		sum.scores[at] += t.scores[at]
		t.scores[at] = 0
	}
	t.touched = t.touched[:0]
}

// best are the highest scores, highest first.
func (t *tally) best(limit int) []Hit {
	var hits []Hit
	for _, at := range t.touched {
		hit := Hit{At: int(at), Score: t.scores[at]}
		if len(hits) == limit && compareHits(hit, hits[limit-1]) > 0 {
			continue
		}
		to, _ := slices.BinarySearchFunc(hits, hit, compareHits)
		hits = slices.Insert(hits[:min(len(hits), limit-1)], to, hit)
	}
	return hits
}

// compareHits puts the better of two first.
func compareHits(a, b Hit) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.At, b.At))
}
