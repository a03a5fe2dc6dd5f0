package main

import "testing"

// The figures that are shown belong together, whatever the medians of each engine say.
func TestCompareContradictingMedians(t *testing.T) {
	// Rounds on a machine that slows down: the medians are 73 and 63, and yet the first
	// is faster in each round but two.
	net := []float64{100, 90, 73, 50, 40, 74, 73}
	ring := []float64{110, 99, 63, 55, 44, 60, 81}
	f := compare(ring, net)
	f.check(t)
	if f.Ratio < 1.09 || f.Ratio > 1.11 || f.Engine <= f.Against {
		t.Errorf("%+v", f)
	}
}

func TestCompareVerdict(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ratios []float64
		want   verdict
	}{
		{"faster", []float64{1.2, 1.3, 1.25, 1.1, 1.4}, higher},
		{"slower", []float64{0.8, 0.7, 0.75, 0.9, 0.6}, lower},
		{"one round is different", []float64{1.2, 1.3, 1.25, 0.5, 1.4}, higher},
		{"the spread has 1", []float64{1.2, 1.3, 0.9, 0.8, 1.4}, noDifference},
		{"below the noise", []float64{1.01, 1.02, 1.03, 1.02, 1.01}, noDifference},
		{"the same", []float64{1, 1, 1, 1, 1}, noDifference},
		{"few rounds", []float64{2, 2, 2, 2}, unknown},
		{"one round", []float64{2}, unknown},
	} {
		base := make([]float64, len(tc.ratios))
		rates := make([]float64, len(tc.ratios))
		for i, r := range tc.ratios {
			base[i] = float64(1000 * (i + 1))
			rates[i] = base[i] * r
		}
		f := compare(rates, base)
		f.check(t)
		if f.Verdict != tc.want {
			t.Errorf("%s: %+v, want %q", tc.name, f, tc.want)
		}
	}
}
