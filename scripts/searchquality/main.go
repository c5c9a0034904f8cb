// Searchquality says how well weir finds tools: it asks the index for what people
// want, in their words, over the definitions of real servers, and counts how often a
// tool that does it is among the first.
//
//	go run ./scripts/searchquality [-v]
//
// With -v it also prints what was not found among the first five.
//
// testdata/definitions.jsonl holds the definitions as servers from npm list them: a
// line says whose the following lines are, in which version, and under which licence.
// testdata/requests.tsv has a request on each line and the tools, one or several, that
// would do. They were written from what the tools are for, before any of them was
// tried, and nobody has been asked to agree with what would do.
package main

import (
	"bufio"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/aggregator/search"
)

//go:embed testdata
var testdata embed.FS

func main() {
	verbose := flag.Bool("v", false, "print what was not found")
	flag.Parse()
	if err := run(os.Stdout, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out io.Writer, verbose bool) error {
	c, err := readCollection()
	if err != nil {
		return err
	}
	requests, err := readRequests(c)
	if err != nil {
		return err
	}
	r := c.ask(requests)
	fmt.Fprintf(out, "%d requests, %d definitions of %d servers\n\n", len(requests), len(c.names), c.servers)
	for _, within := range []int{1, 5, 10} {
		fmt.Fprintf(out, "found among the first %-2d  %5.1f %%\n", within, 100*r.rate(within))
	}
	if verbose {
		fmt.Fprintln(out)
		for i, request := range requests {
			if rank := r.ranks[i]; rank == 0 || rank > 5 {
				fmt.Fprintf(out, "%s: want %s, got %s\n", request.text, strings.Join(request.tools, " or "), strings.Join(r.first[i], ", "))
			}
		}
	}
	return nil
}

// A collection is definitions and their index.
type collection struct {
	index   *search.Index
	names   []string // SERVER/TOOL, in the order of the index
	servers int
}

// maxLine is more than any definition has.
const maxLine = 1 << 20

func readCollection() (*collection, error) {
	file, err := testdata.Open("testdata/definitions.jsonl")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c := &collection{}
	var b search.Builder
	server := ""
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var line struct{ Server, Package, Name string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("reading a definition: %w", err)
		}
		if line.Package != "" {
			server = line.Server
			c.servers++
			continue
		}
		b.Tool(server, lines.Bytes())
		c.names = append(c.names, server+"/"+line.Name)
	}
	c.index = b.Index()
	return c, lines.Err()
}

// A request is what somebody wants, and the tools that do it.
type request struct {
	text  string
	tools []string
}

// readRequests reads requests, of which each must name tools that there are.
func readRequests(c *collection) ([]request, error) {
	text, err := testdata.ReadFile("testdata/requests.tsv")
	if err != nil {
		return nil, err
	}
	var requests []request
	for line := range strings.Lines(string(text)) {
		want, tools, _ := strings.Cut(strings.TrimSpace(line), "\t")
		r := request{text: want, tools: strings.Fields(tools)}
		for _, tool := range r.tools {
			if !slices.Contains(c.names, tool) {
				return nil, fmt.Errorf("request %q: there is no tool %q", want, tool)
			}
		}
		if len(r.tools) == 0 {
			return nil, fmt.Errorf("request %q: no tool is named that would do", want)
		}
		requests = append(requests, r)
	}
	return requests, nil
}

// results are what was found, by request.
type results struct {
	ranks []int      // of the first tool that does it; 0 for none among maxRank
	first [][]string // five tools
}

const maxRank = 10

func (c *collection) ask(requests []request) *results {
	r := &results{}
	for _, request := range requests {
		rank := 0
		var first []string
		for i, hit := range c.index.Find(request.text, maxRank) {
			name := c.names[hit.At]
			if rank == 0 && slices.Contains(request.tools, name) {
				rank = i + 1
			}
			if i < 5 {
				first = append(first, name)
			}
		}
		r.ranks, r.first = append(r.ranks, rank), append(r.first, first)
	}
	return r
}

// rate is the share of requests for which a tool that does it is among the first.
func (r *results) rate(within int) float64 {
	n := 0
	for _, rank := range r.ranks {
		if rank > 0 && rank <= within {
			n++
		}
	}
	return float64(n) / float64(max(1, len(r.ranks)))
}
