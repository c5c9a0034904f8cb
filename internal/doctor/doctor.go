// Package doctor says what is wrong with a weir and how to mend it. It is pure:
// facts go in, findings come out. Who gathers the facts starts the servers and
// reads the files; nothing is asked or touched here.
//
// # Design
//
// Each file is an area with the checks of it. A check is a function of the facts
// alone, so that every one is tested as a row of a table, and the same facts give
// the same findings in the same order.
//
// A finding says what is so, in figures and names, what comes of it, and what to do.
// Facts hold no secrets: whoever gathers them leaves those out. They may hold texts
// of servers; whoever shows findings takes care of that.
package doctor

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A Severity says how bad something is.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Note    Severity = "note"    // good to know
	Warning Severity = "warning" // something does not work as it should, or soon will not
	Problem Severity = "problem" // something does not work
)

// rank orders severities, the worst first.
func (s Severity) rank() int { return slices.Index([]Severity{Problem, Warning, Note, OK}, s) }

// An Area is what a finding is about.
type Area string

// The areas, in the order in which they are looked at and shown.
const (
	AreaConfig      Area = "configuration"
	AreaServers     Area = "servers"
	AreaPrograms    Area = "programs"
	AreaLogins      Area = "logins"
	AreaHosts       Area = "hosts"
	AreaNames       Area = "names"
	AreaTools       Area = "tools"
	AreaSchemas     Area = "schemas"
	AreaDuplicates  Area = "duplicates"
	AreaEnvironment Area = "environment"
	AreaFiles       Area = "files"
	AreaRunning     Area = "running"
)

// A Finding is one thing that was found out.
type Finding struct {
	Severity Severity `json:"severity"`
	Area     Area     `json:"area"`
	Subject  string   `json:"subject,omitempty"` // a server, a host, a file
	Text     string   `json:"text"`
	Remedy   string   `json:"remedy,omitempty"` // a command or a sentence part
	Fix      *Fix     `json:"fix,omitempty"`    // what can be done without a person
}

// A Fix is what mends a finding and can do no harm. Its paths are weir's own files
// and folders.
type Fix struct {
	Do   Deed        `json:"do"`
	Path string      `json:"path"`
	Mode fs.FileMode `json:"-"` // of Close
}

// A Deed is what a Fix does.
type Deed string

// The deeds.
const (
	Close  Deed = "close"  // nobody else is to read or write it
	Remove Deed = "remove" // it is of no use any more, or is made anew
)

// checks are the areas with what looks at them.
var checks = []struct {
	area Area
	look func(*Facts) []Finding
}{
	{AreaConfig, configuration},
	{AreaServers, servers},
	{AreaPrograms, programs},
	{AreaLogins, logins},
	{AreaHosts, hostEntries},
	{AreaNames, names},
	{AreaTools, toolCounts},
	{AreaSchemas, schemas},
	{AreaDuplicates, duplicates},
	{AreaEnvironment, environment},
	{AreaFiles, files},
	{AreaRunning, running},
}

// Examine returns what there is to say: in the order of the areas, in each the worst
// first. Of an area with nothing to mend it says that it is well.
func Examine(f *Facts) (all []Finding) {
	for _, c := range checks {
		found := c.look(f)
		if len(found) == 0 {
			continue
		}
		slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(a.Severity.rank(), b.Severity.rank()) })
		for _, one := range found {
			one.Area = c.area
			all = append(all, one)
		}
	}
	return all
}

// Count returns how many findings have a severity.
func Count(findings []Finding, s Severity) (n int) {
	for _, f := range findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// some writes the first few of many.
func some(texts []string) string {
	const most = 3
	if len(texts) <= most+1 {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:most], ", "), len(texts)-most)
}

// counted writes a number with its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
