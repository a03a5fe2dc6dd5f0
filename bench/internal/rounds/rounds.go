// Package rounds lets servers take turns and compares them. The machine's speed
// drifts, so only turns of the same round compare: a ratio is the median of the
// rounds' ratios.
package rounds

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
)

// ErrInterrupted says that the user does not want to wait for the rest.
var ErrInterrupted = errors.New("interrupted")

// Interrupted returns ErrInterrupted if there is a signal in stop, which it takes,
// and nil otherwise.
func Interrupted(stop <-chan os.Signal) error {
	select {
	case <-stop:
		return ErrInterrupted
	default:
		return nil
	}
}

// Round calls turn once with each number from 0 to n-1, in random order. It ends
// with turn's first error, or with ErrInterrupted before the next turn.
func Round(n int, stop <-chan os.Signal, turn func(i int) error) error {
	for _, i := range rand.Perm(n) {
		if err := Interrupted(stop); err != nil {
			return err
		}
		if err := turn(i); err != nil {
			return err
		}
	}
	return nil
}

// Median returns the median of vs, which it sorts, or NaN if there are none.
func Median(vs []float64) float64 {
	slices.Sort(vs)
	n := len(vs)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return vs[n/2]
	}
	return (vs[n/2-1] + vs[n/2]) / 2
}

// MedianOf returns the median of f over the results of some rounds, or NaN if there
// are none.
func MedianOf[T any](rs []T, f func(T) float64) float64 {
	vs := make([]float64, len(rs))
	for i, r := range rs {
		vs[i] = f(r)
	}
	return Median(vs)
}

// RatioOf returns the median of the ratios of f to the base's, where rs and base
// have the results of the same rounds. It is NaN if there are none, or if the base has
// not been through all of them.
func RatioOf[T any](rs, base []T, f func(T) float64) float64 {
	if len(rs) != len(base) {
		return math.NaN()
	}
	vs := make([]float64, len(rs))
	for i := range rs {
		vs[i] = f(rs[i]) / f(base[i])
	}
	return Median(vs)
}
