package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
)

// The icon is drawn in whole numbers, which are the same on all processors: in grains,
// of which a pixel has some each way.
const (
	iconSize   = 512 // pixels; what hosts show best
	grain      = 8
	iconStroke = 11 * grain // half of it
	iconShift  = 32 * grain // of all up to the middle
)

var (
	iconGround = color.NRGBA{0x0f, 0x2a, 0x3f, 0xff}
	iconEdge   = color.NRGBA{0xf2, 0xf5, 0xf7, 0xff}
	iconWater  = color.NRGBA{0x3f, 0xb4, 0xd8, 0xff}
)

// icon draws weir's picture: water before an edge and behind, and what passes over.
func icon() ([]byte, error) {
	picture := image.NewNRGBA(image.Rect(0, 0, iconSize, iconSize))
	for y := range iconSize {
		for x := range iconSize {
			picture.SetNRGBA(x, y, iconPixel(x*grain, y*grain))
		}
	}
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, picture)
	return out.Bytes(), err
}

// iconPixel is the colour of a pixel: that of its corners, or else a mixture of those
// of some points in it, for smooth edges.
func iconPixel(left, top int) color.NRGBA {
	const last = grain - 1
	c := iconAt(left+1, top+1)
	if c == iconAt(left+last, top+1) && c == iconAt(left+1, top+last) && c == iconAt(left+last, top+last) {
		return c
	}
	var r, g, b, a, points int
	for y := top + 1; y < top+grain; y += 2 {
		for x := left + 1; x < left+grain; x += 2 {
			c := iconAt(x, y)
			opaque := int(c.A) / 0xff
			r, g, b, a = r+int(c.R)*opaque, g+int(c.G)*opaque, b+int(c.B)*opaque, a+opaque
			points++
		}
	}
	if a == 0 {
		return color.NRGBA{}
	}
	return color.NRGBA{uint8(r / a), uint8(g / a), uint8(b / a), uint8(a * 0xff / points)}
}

// iconAt is the colour of a point.
func iconAt(x, y int) color.NRGBA {
	const corner, inner = 96 * grain, (256 - 16 - 96) * grain
	dx, dy := max(0, apart(x, 256*grain)-inner), max(0, apart(y, 256*grain)-inner)
	switch y += iconShift; {
	case dx*dx+dy*dy > corner*corner:
		return color.NRGBA{}
	case isEdge(x, y):
		return iconEdge
	case isWater(x, y) || isFall(x, y):
		return iconWater
	}
	return iconGround
}

func apart(a, b int) int { return max(a-b, b-a) }

// isEdge: the dam stands upright, a little broader at its foot.
func isEdge(x, y int) bool {
	const top, foot = 196 * grain, 420 * grain
	return y > top && y < foot && apart(x, 256*grain)*16 < 14*grain*16+y-top
}

// isWater: four waves before the edge, and two behind.
func isWater(x, y int) bool {
	wave := func(level int) bool { return apart(y, level*grain+ripple(x)) < iconStroke }
	before, behind := x > 64*grain && x < 226*grain, x > 300*grain && x < 448*grain
	return before && (wave(214) || wave(268) || wave(322) || wave(376)) ||
		behind && (wave(358) || wave(404))
}

// ripple is how far a wave is from its level: arcs up and down in turns.
func ripple(x int) int {
	const length, height = 69 * grain, 9 * grain
	in := x % length
	rise := 4 * height * in * (length - in) / (length * length)
	if x/length%2 == 1 {
		return -rise
	}
	return rise
}

// isFall: what passes over the edge comes down in a quarter of a circle.
func isFall(x, y int) bool {
	const left, turn, top, radius, end = 64 * grain, 262 * grain, 168 * grain, 96 * grain, 318 * grain
	switch {
	case x <= turn:
		return x > left && apart(y, top) < iconStroke
	case y < top+radius:
		dx, dy := x-turn, y-top-radius
		away := dx*dx + dy*dy
		return away > (radius-iconStroke)*(radius-iconStroke) && away < (radius+iconStroke)*(radius+iconStroke)
	}
	return y < end && apart(x, turn+radius) < iconStroke
}
