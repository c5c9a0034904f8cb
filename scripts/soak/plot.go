package main

import (
	"fmt"
	"strings"
)

// The measures of the plot, in pixels.
const (
	width, height          = 860, 330
	left, right, top, foot = 60, 60, 50, 40
)

// plot draws memory, and below it files, threads and processes, over calls, as
// SVG.
func plot(samples []sample, upstreams int) []byte {
	calls := samples[len(samples)-1].calls
	var memory, count int64
	for _, s := range samples {
		memory = max(memory, s.memory>>20)
		count = max(count, int64(s.files), int64(s.threads), int64(s.offspring))
	}
	memory, count = round(memory), round(count)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">What weir takes while it serves %s calls over %d servers that break again and again</text>`+"\n", left, thousands(calls), upstreams)
	axes(&b, calls, memory, count)
	for i, line := range []struct {
		name, colour string
		most         int64
		of           func(sample) int64
	}{
		{"memory, MB (left)", "#1f6feb", memory << 20, func(s sample) int64 { return s.memory }},
		{"open files", "#d1242f", count, func(s sample) int64 { return int64(s.files) }},
		{"threads", "#1a7f37", count, func(s sample) int64 { return int64(s.threads) }},
		{"processes", "#8250df", count, func(s sample) int64 { return int64(s.offspring) }},
	} {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, line.colour)
		for _, s := range samples {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(s.calls, calls), y(line.of(s), line.most))
		}
		b.WriteString(`"/>` + "\n")
		fmt.Fprintf(&b, `<text x="%d" y="40" fill="%s">%s</text>`+"\n", left+i*150, line.colour, line.name)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func axes(b *strings.Builder, calls int, memory, count int64) {
	for i := range int64(5) {
		h := y(i, 4)
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#d0d7de"/>`+"\n", left, width-right, h, h)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="#1f6feb">%d</text>`+"\n", left-6, h+4, memory*i/4)
		fmt.Fprintf(b, `<text x="%d" y="%.1f">%d</text>`+"\n", width-right+6, h+4, count*i/4)
	}
	for i := range 5 {
		at := calls * i / 4
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(at, calls), height-foot+20, thousands(at))
	}
}

func x(calls, most int) float64 {
	return left + float64(width-left-right)*float64(calls)/float64(most)
}

func y(value, most int64) float64 {
	return float64(height-foot) - float64(height-top-foot)*float64(value)/float64(most)
}

// round is the next number that divides well by four.
func round(n int64) int64 {
	step := int64(4)
	for n > 10*step {
		step *= 2
	}
	return (n/step + 1) * step
}

func thousands(n int) string {
	if n >= 1000 {
		return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
	}
	return fmt.Sprint(n)
}
