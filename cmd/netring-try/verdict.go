package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// row compares one figure.
type row struct {
	name          string
	plain, ring   spread
	ratio         spread // of each round's figures: netring's by net's
	moreIsBetter  bool
	roundsCounted int
}

// spread is the median, the lowest and the highest of the rounds.
type spread struct{ median, min, max float64 }

func spreadOf(figures []float64) spread {
	s := slices.Sorted(slices.Values(figures))
	n := len(s)
	return spread{(s[(n-1)/2] + s[n/2]) / 2, s[0], s[n-1]}
}

// format prints a spread with a sensible number of digits.
func (s spread) String() string {
	return fmt.Sprintf("%s (%s–%s)", digits(s.median), digits(s.min), digits(s.max))
}

func digits(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 1:
		return fmt.Sprintf("%.2f", f)
	}
	return fmt.Sprintf("%.3g", f)
}

// rows compares the figures that package net and netring have in each round.
func rows(plain, ring []measurement) []row {
	var compared []row
	for _, v := range plain[0].values {
		a, okA := series(plain, v.name)
		b, okB := series(ring, v.name)
		if !okA || !okB {
			continue
		}
		var ratios []float64
		for i := range a {
			if a[i] > 0 {
				ratios = append(ratios, b[i]/a[i])
			}
		}
		if len(ratios) < len(a) { // CPU time too short for the clock
			continue
		}
		compared = append(compared, row{v.name, spreadOf(a), spreadOf(b), spreadOf(ratios), higherIsBetter(v.name), len(a)})
	}
	return compared
}

// series returns the named figure of each round. ok is false if a round lacks it.
func series(rounds []measurement, name string) (figures []float64, ok bool) {
	for _, m := range rounds {
		i := slices.IndexFunc(m.values, func(v value) bool { return v.name == name })
		if i < 0 {
			return nil, false
		}
		figures = append(figures, m.values[i].n)
	}
	return figures, true
}

// verdict says which variant is better, or that the rounds do not tell. ring is netring's name.
func (r row) verdict(ring string) string {
	switch {
	case r.roundsCounted < 3:
		return "too few rounds"
	case r.ratio.min <= 1 && r.ratio.max >= 1:
		return "no difference"
	case r.ratio.median > 1 == r.moreIsBetter:
		return ring + " is better"
	}
	return "net is better"
}

// print prints the rows and what netring did in the last round.
func (c *comparison) print(w io.Writer, results map[string][]measurement) {
	plain, ring := results[variantNet], results[c.ring]
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "\tnet\t%s\t%[1]s/net\t\n", c.ring)
	for _, r := range rows(plain, ring) {
		fmt.Fprintf(tw, "%s\t%v\t%v\t%v\t%s\n", r.name, r.plain, r.ring, r.ratio, r.verdict(c.ring))
	}
	tw.Flush()
	fmt.Fprintf(w, "\nMedian of %d rounds, with the lowest and the highest. \"No difference\": the rounds' ratios lie on both sides of 1.\n", len(ring))
	last := ring[len(ring)-1].report
	if last == nil {
		fmt.Fprintln(w, "\nThe program on netring has written no counters, so it is not known what netring did.")
		return
	}
	fmt.Fprintln(w, "\nnetring in the last round:")
	last.print(w, "  ")
}

// oneLine returns the figures of a turn.
func oneLine(values []value) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, v.name+" "+digits(v.n))
	}
	return strings.Join(parts, ", ")
}
