// Record draws what a terminal showed: docs/demo.svg, and docs/policy.svg,
// docs/login.svg and docs/doctor.svg of a folder with the configuration that is in scripts/record.
//
//	go build -o ~/bin/weir .
//	script -qec "weir demo" /dev/null | go run ./scripts/record "weir demo" > docs/demo.svg
//	script -qec "bash scripts/record/policy.sh" /dev/null | go run ./scripts/record > docs/policy.svg
//	script -qec "bash scripts/record/weirlogin.sh" /dev/null | go run ./scripts/record "weir login" > docs/login.svg
//	script -qec "bash scripts/record/servers.sh" /dev/null | go run ./scripts/record > docs/servers.svg
//	script -qec "bash scripts/record/doctor.sh" /dev/null | go run ./scripts/record "weir doctor" > docs/doctor.svg
//	bash scripts/record/top.sh | go run ./scripts/record "weir top" > docs/top.svg
//
// What a browser showed is recorded by scripts/record/login.sh.
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The look, in pixels: of a monospaced font, one character and one line.
const (
	charWidth  = 7.8
	lineHeight = 18
	margin     = 16
	fontSize   = 13
	pause      = 0.18 // seconds from one line to the next
)

// colours are for the codes that weir uses (SGR).
var colours = map[string]string{
	"1":  `font-weight="bold"`,
	"2":  `fill="#8b949e"`,
	"7":  `fill="#ffffff" font-weight="bold"`,
	"31": `fill="#ff7b72"`,
	"32": `fill="#7ee787"`,
	"33": `fill="#e3b341"`,
	"36": `fill="#79c0ff"`,
}

var code = regexp.MustCompile("\x1b\\[([0-9]+)m")

func main() {
	label := strings.Join(os.Args[1:], " ")
	lines, err := read(label)
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
	columns := 0
	for _, line := range lines {
		columns = max(columns, utf8.RuneCountInString(code.ReplaceAllString(line, "")))
	}
	width := int(float64(columns)*charWidth) + 2*margin
	height := len(lines)*lineHeight + 2*margin
	fmt.Printf(`<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="%[4]s">
<style>text{font:%[3]dpx ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3;white-space:pre;animation:a .1s both}@keyframes a{from{opacity:0}}</style>
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
`, width, height, fontSize, html.EscapeString(cmp.Or(label, "a terminal")))
	for i, line := range lines {
		if line == "" {
			continue
		}
		fmt.Printf(`<text x="%d" y="%d" style="animation-delay:%.2fs">%s</text>`+"\n",
			margin, margin+i*lineHeight+fontSize, float64(i)*pause, spans(line))
	}
	fmt.Println("</svg>")
}

// read returns the lines of stdin, after that of the command if one is named.
func read(command string) (lines []string, err error) {
	if command != "" {
		lines = append(lines, "\x1b[2m$\x1b[0m "+command, "")
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		lines = append(lines, strings.TrimRight(in.Text(), "\r "))
	}
	return lines, in.Err()
}

// spans turns the colours of a line into those of SVG.
func spans(line string) string {
	var out strings.Builder
	open := false
	for line != "" {
		at := code.FindStringSubmatchIndex(line)
		if at == nil {
			at = []int{len(line), len(line), 0, 0}
		}
		out.WriteString(html.EscapeString(line[:at[0]]))
		if open && at[0] < at[1] {
			out.WriteString("</tspan>")
			open = false
		}
		if style := colours[line[at[2]:at[3]]]; style != "" && at[0] < at[1] {
			fmt.Fprintf(&out, "<tspan %s>", style)
			open = true
		}
		line = line[at[1]:]
	}
	if open {
		out.WriteString("</tspan>")
	}
	return out.String()
}
