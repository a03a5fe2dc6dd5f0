package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"text/template"
)

// overview is the workloads of the chart, with labels for laymen.
var overview = []struct{ workload, label, detail string }{
	{"HTTP with timeouts, 64 conns", "Web server", "64 connections"},
	{"HTTP with timeouts, 256 conns", "Web server", "256 connections"},
	{"HTTP, 32 conns, 16 pipelined", "Web server, pipelined", "16 requests sent at once"},
	{"HTTP, 64 clients, a conn per request", "Web server, short visits", "a connection per request"},
	{"HTTPS, 64 conns", "Encrypted web server", "HTTPS, 64 connections"},
	{"echo 128 B, 64 conns", "Small messages", "echo of 128 bytes"},
	{"server receives 1 GiB, per MiB", "Upload", "receives 1 GiB"},
	{"relay 128 B, 128 conns", "Proxy", "passes messages of 128 bytes"},
	{"broadcast of 100 B to 2000 conns, per delivery", "Chat room", "each message to 2000 users"},
}

// Overview returns the names of the chart's workloads.
func Overview() (names []string) {
	for _, o := range overview {
		names = append(names, o.workload)
	}
	return names
}

// series is a server of the chart, with its colours in light and in dark mode.
type series struct {
	server, Name, Light, Dark string
	Index                     int
	Y                         float64 // in the legend
}

// allSeries has colours that most colour-blind people can distinguish, after Okabe and Ito.
var allSeries = []series{
	{server: "uring", Name: "netring on io_uring", Light: "#1f77d0", Dark: "#58a6ff"},
	{server: "syscall", Name: "netring without io_uring", Light: "#6cb4ee", Dark: "#a5d3ff"},
	{server: "uring+cw", Name: "netring, write buffer", Light: "#00806a", Dark: "#2fc4a2"},
	{server: "gnet", Name: "gnet", Light: "#e69f00", Dark: "#e69f00"},
	{server: "netpoll", Name: "netpoll", Light: "#cc79a7", Dark: "#d98cb8"},
	{server: "nbio", Name: "nbio", Light: "#d55e00", Dark: "#f0803c"},
	{server: "go-uring", Name: "go-uring", Light: "#8a69b3", Dark: "#a98bd3"},
	{server: "rio", Name: "rio", Light: "#a07c2c", Dark: "#c9a95c"},
	{server: "c-epoll", Name: "epoll loop in C", Light: "#8c8c8c", Dark: "#a0a0a0"},
}

// The measures of the chart, in pixels; others are in its template.
const (
	plotLeft, plotTop             = 188.0, 76.0
	barStep, groupStep, legendRow = 11.0, 12.0, 20.0
	labels                        = 26.0  // height of a workload's two labels
	unit                          = 100.0 // length of a bar of 1

	// chartLimit is where longer bars and error bars are cut, so that the others remain legible.
	// The number beside a cut bar is its ratio.
	chartLimit = 4.0
)

//go:embed overview.svg.tmpl
var chartSource string

var chartTemplate = template.Must(template.New("chart").Parse(chartSource))

// chart is the data of the template.
type chart struct {
	Where                             string
	Series, Legend                    []series
	Height, Bottom, LegendEnd, Rounds int
	Groups                            []group
}

// group is the bars of a workload.
type group struct {
	Label, Detail string
	Middle        float64
	Bars          []bar
}

type bar struct {
	Series        int
	Y, Width, End float64
	Cut           bool   // it or its error bar is longer than the chart
	Inside, Range string // the error bar, as far as it is inside the bar and beyond; "": of one round
	Text          string // beside the bar
}

// chart draws the ratios of requests/s to net, in setting one-core or else shared, as an SVG for
// light and dark mode.
func (r *Results) chart() ([]byte, error) {
	c := chart{Where: "server on one CPU core, load on another", Series: allSeries}
	setting := "one-core"
	if !slices.Contains(r.settings(), setting) {
		setting, c.Where = "shared", "server and load on all CPU cores"
	}
	if r.short() {
		c.Where += "; a short run, rough"
	}
	used := make([]bool, len(allSeries))
	y, legend := plotTop, plotTop
	for _, o := range overview {
		if w := r.find(setting, o.workload); w != nil {
			g := group{Label: o.label, Detail: o.detail, Bars: c.bars(w, y, used)}
			height := max(barStep*float64(len(g.Bars)), labels)
			g.Middle = y + height/2
			y += height + groupStep
			c.Groups = append(c.Groups, g)
		}
	}
	for i, s := range allSeries {
		if s.Index, s.Y = i, legend; used[i] {
			c.Legend, legend = append(c.Legend, s), legend+legendRow
		}
	}
	c.LegendEnd, c.Bottom = int(legend), int(max(y, legend+3*legendRow))
	c.Height = c.Bottom + 42
	var out bytes.Buffer
	err := chartTemplate.Execute(&out, c)
	return out.Bytes(), err
}

// bars returns the bars of a workload, from y down, and notes which series they use.
func (c *chart) bars(w *Workload, y float64, used []bool) (bars []bar) {
	x := func(v float64) float64 { return math.Round(10*(plotLeft+unit*min(v, chartLimit))) / 10 }
	for i, s := range allSeries {
		ratio := w.Ratio(s.server, "net", Rate)
		b := bar{Series: i, Y: y, Width: x(ratio.Median) - plotLeft, End: x(ratio.Max), Cut: ratio.Max > chartLimit}
		switch {
		case w.LeftOut[s.server] != "":
			b = bar{Y: y, End: plotLeft, Text: s.Name + " did not run"}
		case ratio.Rounds == 0:
			continue
		default:
			used[i], c.Rounds, b.Text = true, max(c.Rounds, ratio.Rounds), fmt.Sprintf("%.2f", ratio.Median)
		}
		if ratio.Rounds > 1 && ratio.Min < chartLimit {
			b.Inside = fmt.Sprintf("M%.1f %.1fv6m0 -3H%.1f", x(ratio.Min), y+1.5, x(ratio.Median))
			b.Range = fmt.Sprintf("M%.1f %.1fH%.1f", x(ratio.Median), y+4.5, b.End)
			if !b.Cut {
				b.Range += "m0 -3v6"
			}
		}
		bars = append(bars, b)
		y += barStep
	}
	return bars
}
