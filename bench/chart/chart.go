// Package chart draws bar charts of ratios as SVG files: a group of bars for each
// workload, with a line at 1.
package chart

import (
	"bytes"
	"image/color"
	"os"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Group is the bars of one workload.
type Group struct {
	Name string
	Bars []Bar
}

// Bar is one ratio.
type Bar struct {
	Series string
	Ratio  float64
}

const (
	width     = 8 * vg.Inch
	barHeight = 8 // points
	headRoom  = 60

	// limit is where bars end, so that a few very long ones do not make all others
	// look alike. The number at the end of a bar is the whole ratio.
	limit = 4
)

// colours are told apart by most colour-blind people (Okabe and Ito). None stands
// for good or bad.
var colours = []color.Color{
	color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
	color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
	color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
	color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	color.RGBA{R: 0xf0, G: 0xe4, B: 0x42, A: 0xff},
	color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff},
	color.RGBA{R: 0x5d, G: 0x3a, B: 0x9b, A: 0xff},
	color.RGBA{R: 0x7f, G: 0x4f, B: 0x24, A: 0xff},
}

// Write draws the groups, top to bottom, into the SVG file. series are the names of
// the bars, in the order of the legend. One must be there at least.
func Write(file, title string, series []string, groups []Group) error {
	p := plot.New()
	p.Title.Text = title
	b := &bars{groups: groups, series: series, label: p.X.Tick.Label}
	b.label.XAlign, b.label.YAlign = draw.XLeft, draw.YCenter
	b.label.Font.Size = vg.Points(barHeight - 1)
	p.Add(b)
	p.X.Min, p.X.Max = 0, b.longest()*1.08
	p.X.Tick.Marker = plot.ConstantTicks(ticks(p.X.Max))
	p.Y.Min, p.Y.Max = -float64(b.lines()), 0
	p.Y.Tick.Marker = plot.ConstantTicks(b.names())
	p.Y.Tick.Length = 0
	p.Y.LineStyle.Width = 0
	p.Legend.Top = true
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	for i, s := range series {
		p.Legend.Add(s, swatch{colours[i%len(colours)]})
	}
	height := vg.Points(float64(b.lines()*barHeight+headRoom)) + vg.Points(float64(10*len(series)))
	p.Legend.YOffs = vg.Points(float64(10*len(series) + 4)) // above the bars
	p.Title.Padding = p.Legend.YOffs
	w, err := p.WriterTo(width, height, "svg")
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if _, err := w.WriteTo(&svg); err != nil {
		return err
	}
	// The labels are placed by the font's metrics. Where it is missing, these have
	// the same, and a viewer's own choice would not.
	const font = "font-family:Liberation Serif;"
	const fonts = "font-family:'Liberation Serif','Times New Roman',Times,serif;"
	return os.WriteFile(file, bytes.ReplaceAll(svg.Bytes(), []byte(font), []byte(fonts)), 0o666)
}

// ticks marks every half up to end.
func ticks(end float64) (ts []plot.Tick) {
	for v := 0.0; v <= end; v += 0.5 {
		ts = append(ts, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', 1, 64)})
	}
	return ts
}

// bars is the plotter of the groups. A bar has a height of 1 and a group is one
// apart from the next, from 0 downwards.
type bars struct {
	groups []Group
	series []string
	label  draw.TextStyle
}

// lines is the height of all groups.
func (b *bars) lines() int {
	n := 1
	for _, g := range b.groups {
		n += len(g.Bars) + 1
	}
	return n
}

// longest is the length of the longest bar, 1 at least, so that the line is there.
func (b *bars) longest() float64 {
	longest := 1.0
	for _, g := range b.groups {
		for _, bar := range g.Bars {
			longest = max(longest, min(bar.Ratio, limit))
		}
	}
	return longest
}

// names labels the middle of each group.
func (b *bars) names() (ts []plot.Tick) {
	at := 1.0
	for _, g := range b.groups {
		ts = append(ts, plot.Tick{Value: -(at + float64(len(g.Bars))/2), Label: g.Name})
		at += float64(len(g.Bars)) + 1
	}
	return ts
}

// Plot implements plot.Plotter.
func (b *bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	at := 1.0
	for _, g := range b.groups {
		for _, bar := range g.Bars {
			end := x(min(bar.Ratio, limit))
			c.FillPolygon(colours[slices.Index(b.series, bar.Series)%len(colours)], []vg.Point{
				{X: x(0), Y: y(-at)}, {X: end, Y: y(-at)}, {X: end, Y: y(-at - 0.9)}, {X: x(0), Y: y(-at - 0.9)},
			})
			at++
		}
		at++
	}
	one := draw.LineStyle{Color: color.Black, Width: vg.Points(1), Dashes: []vg.Length{vg.Points(3), vg.Points(2)}}
	c.StrokeLine2(one, x(1), y(0), x(1), y(-at))
	at = 1 // the numbers, over the line
	for _, g := range b.groups {
		for _, bar := range g.Bars {
			number := strconv.FormatFloat(bar.Ratio, 'f', 2, 64)
			left := x(min(bar.Ratio, limit)) + vg.Points(2)
			right := left + b.label.Width(number)
			c.FillPolygon(color.White, []vg.Point{
				{X: left, Y: y(-at)}, {X: right, Y: y(-at)}, {X: right, Y: y(-at - 0.9)}, {X: left, Y: y(-at - 0.9)},
			})
			c.FillText(b.label, vg.Point{X: left, Y: y(-at - 0.3)}, number)
			at++
		}
		at++
	}
}

// swatch is a colour in the legend.
type swatch struct{ color.Color }

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(s.Color, []vg.Point{
		{X: c.Min.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Max.Y}, {X: c.Min.X, Y: c.Max.Y},
	})
}
