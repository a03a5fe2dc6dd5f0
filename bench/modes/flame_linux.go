package main

import (
	"bufio"
	"cmp"
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"maps"
	"slices"
)

// The measures of a flame graph, in pixels.
const (
	flameWidth  = 1200
	frameHeight = 17
	charWidth   = 6.6 // of 11 px monospace
	headHeight  = 40
	minWidth    = 0.3 // of a frame that is drawn
)

// drawFlame writes root as an SVG that needs nothing else: a frame's width is its
// share of the samples, what it calls is above it, and a title shows on hover.
func drawFlame(w io.Writer, title string, root *frame) error {
	height := headHeight + (depth(root)+1)*frameHeight
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="monospace" font-size="11">`+"\n",
		flameWidth, height, flameWidth, height)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="8" y="20" font-size="13">%s (%d samples; blue: kernel)</text>`+"\n",
		html.EscapeString(title), root.samples)
	if root.samples > 0 {
		drawFrame(b, root, root.samples, 0, float64(height-frameHeight))
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush() // reports the first error of all these writes
}

// drawFrame draws f and what it calls, from x on, with its top at y.
func drawFrame(b *bufio.Writer, f *frame, total int, x, y float64) {
	width := flameWidth * float64(f.samples) / float64(total)
	if width < minWidth {
		return
	}
	fmt.Fprintf(b, `<g><title>%s: %d samples, %.2f %%</title><rect x="%.2f" y="%.1f" width="%.2f" height="%d" fill="%s" stroke="#fff" stroke-width="0.5"/>`,
		html.EscapeString(f.name), f.samples, 100*float64(f.samples)/float64(total), x, y, width, frameHeight-1, colour(f))
	if chars := int((width - 6) / charWidth); chars >= 3 {
		name := f.name
		if len(name) > chars {
			name = name[:chars-2] + ".."
		}
		fmt.Fprintf(b, `<text x="%.2f" y="%.1f">%s</text>`, x+3, y+12, html.EscapeString(name))
	}
	fmt.Fprintln(b, "</g>")
	children := slices.SortedFunc(maps.Values(f.children), func(a, c *frame) int { return cmp.Compare(a.name, c.name) })
	for _, c := range children {
		drawFrame(b, c, total, x, y-frameHeight)
		x += flameWidth * float64(c.samples) / float64(total)
	}
}

func depth(f *frame) (d int) {
	for _, c := range f.children {
		d = max(d, depth(c)+1)
	}
	return d
}

// colour depends on the function's name only, so that graphs compare.
func colour(f *frame) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(f.name)) // never fails: hash.Hash
	n := h.Sum32() % 60
	if f.kernel {
		return fmt.Sprintf("hsl(%d,60%%,78%%)", 190+n/2)
	}
	return fmt.Sprintf("hsl(%d,85%%,72%%)", 10+n/2)
}
