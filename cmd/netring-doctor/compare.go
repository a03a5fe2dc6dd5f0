package main

import (
	"slices"

	"github.com/netring-go/netring"
)

// noise is the difference between two engines that counts as none, however closely the
// rounds agree.
const noise = 0.05

// minRounds is the number of rounds from which on quartiles mean something.
const minRounds = 5

// verdict is what a figure says.
type verdict string

const (
	higher       verdict = "higher"
	lower        verdict = "lower"
	noDifference verdict = "no difference"
	unknown      verdict = "too few rounds to tell"
)

// figure compares one quantity of two engines over the rounds. Engine and Against are
// from one round, the round with the median ratio, so Engine/Against is Ratio. Medians
// of each engine by itself would be from different rounds, and can contradict the ratio.
type figure struct {
	Engine  float64 `json:"engine"`
	Against float64 `json:"against"`
	Ratio   float64 `json:"ratio"` // the median of the rounds' ratios
	Low     float64 `json:"ratio_lower_quartile"`
	High    float64 `json:"ratio_upper_quartile"`
	Verdict verdict `json:"verdict"`
}

// comparison compares two engines.
type comparison struct {
	Engine  netring.Engine `json:"engine"`
	Against netring.Engine `json:"against"`
	Rate    figure         `json:"messages_per_second"`
	CPU     *figure        `json:"cpu_us_per_message,omitempty"` // nil if CPU time is unknown
}

// compare compares a with b, which have an element for each round, none of them 0.
func compare(a, b []float64) figure {
	rounds := make([]int, len(a))
	for i := range rounds {
		rounds[i] = i
	}
	ratio := func(round int) float64 { return a[round] / b[round] }
	slices.SortStableFunc(rounds, func(i, j int) int {
		switch x, y := ratio(i), ratio(j); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	last := len(rounds) - 1
	// Nearest ranks: each is the ratio of a round, and Low and High are equally far from
	// the ends.
	middle, quarter := rounds[last/2], last/4
	f := figure{
		Engine: a[middle], Against: b[middle], Ratio: ratio(middle),
		Low: ratio(rounds[quarter]), High: ratio(rounds[last-quarter]),
	}
	f.Verdict = f.judge(len(rounds))
	return f
}

// judge says whether the ratio differs from 1 by more than the rounds differ among
// themselves, and by more than the noise.
func (f figure) judge(rounds int) verdict {
	switch {
	case rounds < minRounds:
		return unknown
	case f.Low > 1 && f.Ratio > 1+noise:
		return higher
	case f.High < 1 && f.Ratio < 1-noise:
		return lower
	}
	return noDifference
}
