package report

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The files of a report, in its directory.
const (
	ResultsFile = "RESULTS.md"
	RoundsFile  = "results.json"
	ChartFile   = "charts/overview.svg"
)

// explanation tells how to read the report of compare.
//
//go:embed explanation.md
var explanation string

// short reports whether figures are rough, as a server's turns took less than a second in all.
func (r *Results) short() bool {
	return slices.ContainsFunc(r.Runs, func(run Run) bool { return time.Duration(run.Rounds)*run.Turn < time.Second })
}

// WriteFiles writes the report of compare into dir.
func (r *Results) WriteFiles(dir string) error {
	var out bytes.Buffer
	p := Printer{&out, true}
	fmt.Fprintf(&out, "# Results\n\n")
	if r.short() {
		fmt.Fprintf(&out, "**Short run: the figures are rough.**\n\n")
	}
	out.WriteString(explanation)
	p.Heading(2, "Runs")
	for _, run := range r.Runs {
		fmt.Fprintf(&out, "- %s: %d rounds of %v. In `bench/`:\n\n  ```sh\n  %s\n  ```\n\n", run.Machine, run.Rounds, run.Turn, run.Command)
	}
	for _, setting := range r.settings() {
		p.Heading(2, setting)
		p.Workloads(slices.DeleteFunc(slices.Clone(r.Workloads), func(w *Workload) bool { return w.Setting != setting }))
	}
	chart, err := r.chart()
	return errors.Join(err,
		os.MkdirAll(filepath.Join(dir, filepath.Dir(ChartFile)), 0o777),
		os.WriteFile(filepath.Join(dir, ResultsFile), append(bytes.TrimRight(out.Bytes(), "\n"), '\n'), 0o666),
		r.Write(filepath.Join(dir, RoundsFile)),
		os.WriteFile(filepath.Join(dir, ChartFile), chart, 0o666))
}

// MaxSpread is the greatest distance between the quartiles of steady ratios.
const MaxSpread = 0.1

// Unsteady returns which of the ratios of requests/s have quartiles further apart than MaxSpread,
// and the number of all ratios.
func (r *Results) Unsteady() (rows []string, of int) {
	for _, w := range r.Workloads {
		for _, server := range w.measured() {
			s := w.Ratio(server, w.Bases[0], Rate)
			if server == w.Bases[0] || s.Rounds < 2 || w.Table == TableMemory || w.Table == TableHeap || w.Table == TableOpen {
				continue
			}
			of++
			if s.Q3-s.Q1 > MaxSpread {
				rows = append(rows, fmt.Sprintf("%s, %s, %s", w.Setting, w.Name, server))
			}
		}
	}
	return rows, of
}

// Printer prints headings and tables. It ignores write errors: Out is a buffer or the terminal.
type Printer struct {
	Out      io.Writer
	Markdown bool
}

// Heading prints the title of a chapter (level 2) or of its section (level 3).
func (p Printer) Heading(level int, title string) {
	switch {
	case p.Markdown:
		fmt.Fprintf(p.Out, "%s %s\n\n", strings.Repeat("#", level), title)
	case level == 2:
		fmt.Fprintf(p.Out, "%s\n%s\n\n", title, strings.Repeat("=", utf8.RuneCountInString(title)))
	default:
		fmt.Fprintf(p.Out, "%s:\n\n", title)
	}
}

// Table prints a table. The first line is its head, and the first texts columns are no figures.
func (p Printer) Table(texts int, lines [][]string) {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, line := range lines {
		if p.Markdown {
			fmt.Fprintf(p.Out, "| %s |\n", strings.Join(line, " | "))
			if n == 0 {
				fmt.Fprintf(p.Out, "|%s%s\n", strings.Repeat("---|", texts), strings.Repeat("--:|", len(line)-texts))
			}
			continue
		}
		text := ""
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 0 && texts > 1 && n > 0 && cell == lines[n-1][0]:
				text += strings.Repeat(" ", width[0]) + "  " // as in the line above
			case i < texts:
				text += cell + pad + "  "
			default:
				text += pad + cell + "  "
			}
		}
		fmt.Fprintln(p.Out, strings.TrimRight(text, " "))
	}
	fmt.Fprintln(p.Out)
}

// Workloads prints the tables of all workloads, section by section, and what was left out.
func (p Printer) Workloads(ws []*Workload) {
	for len(ws) > 0 {
		n := slices.IndexFunc(ws, func(w *Workload) bool { return w.Setting != ws[0].Setting || w.Section != ws[0].Section })
		if n < 0 {
			n = len(ws)
		}
		section := ws[:n]
		ws = ws[n:]
		for _, part := range parts[section[0].Table] {
			title := section[0].Setting
			for _, t := range []string{section[0].Section, part.title} {
				if t != "" {
					title += ": " + t
				}
			}
			p.part(title, part, section)
		}
		p.leftOut(section)
	}
}

// part prints some columns of the workloads of a section.
func (p Printer) part(title string, part part, ws []*Workload) {
	head := []string{"workload", "server"}
	for i, c := range part.columns {
		name := c.name
		if c.base > 0 {
			name += " ÷ " + ws[0].Bases[c.base-1]
			if i > 0 && part.columns[i-1].name == c.name { // which has the name
				name = strings.TrimPrefix(name, c.name+" ")
			}
		}
		head = append(head, name)
	}
	lines := [][]string{head}
	for _, w := range ws {
		for _, server := range w.measured() {
			line := []string{w.Name, server}
			for _, c := range part.columns {
				if c.base > 0 {
					line = append(line, ratio(w.Ratio(server, w.Bases[c.base-1], c.Metric)))
				} else {
					line = append(line, figure(w.Value(server, c.Metric), c.prec))
				}
			}
			lines = append(lines, line)
		}
	}
	if len(lines) == 1 {
		return
	}
	texts := 2
	if len(ws) == 1 { // the title names it
		title += ": " + ws[0].Name
		for i := range lines {
			lines[i] = lines[i][1:]
		}
		texts = 1
	}
	p.Heading(3, title)
	p.Table(texts, lines)
}

// figure formats a figure that may be NaN.
func figure(v float64, prec int) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.*f", prec, v)
}

// ratio formats a ratio with its range over the rounds.
func ratio(s Summary) string {
	switch {
	case s.Rounds == 0:
		return "–"
	case s.Min == s.Max:
		return fmt.Sprintf("%.2f", s.Median)
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max)
}

// leftOut prints which servers have no results, with a line for each reason.
func (p Printer) leftOut(ws []*Workload) {
	const (
		maxNamed  = 6   // workloads in a line
		maxColumn = 120 // of a line
	)
	names := map[string][]string{}
	for _, w := range ws {
		for server, reason := range w.LeftOut {
			key := fmt.Sprintf("- %s (%%s): %s", server, strings.ReplaceAll(reason, "%", "%%"))
			names[key] = append(names[key], w.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(p.Out, "Left out:\n\n")
	for _, key := range slices.Sorted(maps.Keys(names)) {
		what := strings.Join(names[key], "; ")
		if len(names[key]) > maxNamed {
			what = fmt.Sprintf("%d workloads", len(names[key]))
		}
		column := 0
		for i, word := range strings.Fields(fmt.Sprintf(key, what)) {
			if column += len(word) + 1; i > 0 && column > maxColumn {
				word, column = "\n  "+word, len(word)+3
			} else if i > 0 {
				word = " " + word
			}
			fmt.Fprint(p.Out, word)
		}
		fmt.Fprintln(p.Out)
	}
	fmt.Fprintln(p.Out)
}
