package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// A chart is some curves over two axes.
type chart struct {
	title  string
	x, y   axis
	curves []curve
}

type curve struct {
	name   string
	points []point // from left to right
}

type point struct{ x, y float64 }

// An axis goes from its first tick to its last.
type axis struct {
	label string
	log   bool // then no tick and no point is 0
	ticks []tick
}

type tick struct {
	at   float64
	text string
}

// place is where on the axis a value is, from 0 to 1.
func (a axis) place(value float64) float64 {
	low, high := a.ticks[0].at, a.ticks[len(a.ticks)-1].at
	if a.log {
		value, low, high = math.Log(value), math.Log(low), math.Log(high)
	}
	return (value - low) / (high - low)
}

// The measures of a chart, in pixels.
const (
	width, height          = 860, 360
	left, right, top, foot = 84, 30, 62, 54
)

var colours = []string{"#1f6feb", "#d1242f", "#1a7f37", "#8250df", "#9a6700", "#57606a", "#bf3989", "#0a7d8c"}

// svg draws the chart. It needs at least two ticks on each axis.
func (c chart) svg() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	text(&b, left, 22, `font-size="14"`, c.title)
	c.drawAxes(&b)
	for i, curve := range c.curves {
		colour := colours[i%len(colours)]
		x, y := c.nameAt(i)
		text(&b, x, y, `fill="`+colour+`"`, curve.name)
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, colour)
		for _, p := range curve.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", c.left(p.x), c.height(p.y))
		}
		b.WriteString(`"/>` + "\n")
		for _, p := range curve.points {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`+"\n", c.left(p.x), c.height(p.y), colour)
		}
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// nameAt is where the name of a curve is: above all of them, in one row or two.
func (c chart) nameAt(i int) (x, y float64) {
	const most = 5 // that a row has room for
	perRow, first := len(c.curves), 46
	if perRow > most {
		perRow, first = (perRow+1)/2, 40
	}
	return float64(left + i%perRow*(width-left-right)/perRow), float64(first + i/perRow*15)
}

func (c chart) drawAxes(b *strings.Builder) {
	for _, t := range c.y.ticks {
		h := c.height(t.at)
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#d0d7de"/>`+"\n", left, width-right, h, h)
		text(b, left-6, h+4, `text-anchor="end"`, t.text)
	}
	for _, t := range c.x.ticks {
		text(b, c.left(t.at), height-foot+18, `text-anchor="middle"`, t.text)
	}
	text(b, (left+width-right)/2, height-12, `text-anchor="middle"`, c.x.label)
	fmt.Fprintf(b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">`, (top+height-foot)/2)
	escape(b, c.y.label)
	b.WriteString("</text>\n")
}

func (c chart) left(x float64) float64   { return left + c.x.place(x)*(width-left-right) }
func (c chart) height(y float64) float64 { return height - foot - c.y.place(y)*(height-top-foot) }

func text(b *strings.Builder, x, y float64, attributes, words string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" %s>`, x, y, attributes)
	escape(b, words)
	b.WriteString("</text>\n")
}

// escape cannot fail: a strings.Builder takes all.
func escape(b *strings.Builder, words string) { _ = xml.EscapeText(b, []byte(words)) }

// fromZero is an axis from 0 to what is a little more than the most.
func fromZero(label string, most float64) axis {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, finer := range []float64{0.2, 0.5, 1} {
		if most/(step*finer) <= 6 {
			step *= finer
			break
		}
	}
	if !(step > 0) {
		step = 1
	}
	a := axis{label: label}
	for i := 0; i == 0 || a.ticks[i-1].at < most; i++ {
		at := float64(i) * step
		a.ticks = append(a.ticks, tick{at, amount(at)})
	}
	return a
}

// decades is an axis by powers of ten, with what is between them at 2 and 5.
func decades(label string, least, most float64) axis {
	a := axis{label: label, log: true}
	for power := math.Floor(math.Log10(least)); ; power++ {
		for _, n := range []float64{1, 2, 5} {
			at := n * math.Pow(10, power)
			if at*2.5 < least {
				continue
			}
			a.ticks = append(a.ticks, tick{at, amount(at)})
			if at >= most && len(a.ticks) > 1 {
				return a
			}
		}
	}
}

// amount writes a number with four digits that count, and commas at the
// thousands.
func amount(n float64) string {
	if n < 1000 {
		return fmt.Sprintf("%.4g", n)
	}
	fine := math.Pow(10, math.Floor(math.Log10(n))-3)
	return thousands(int(math.Round(n/fine) * fine))
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
