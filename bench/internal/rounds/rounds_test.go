package rounds

import (
	"errors"
	"math"
	"os"
	"slices"
	"testing"
)

func TestMedianAndRatio(t *testing.T) {
	same := func(f float64) float64 { return f }
	a, b := []float64{100, 400, 200}, []float64{50, 100, 400}
	if m := MedianOf(a, same); m != 200 {
		t.Errorf("median %v", m)
	}
	if m := MedianOf(a[:2], same); m != 250 {
		t.Errorf("median of two %v", m)
	}
	if m := Median(nil); !math.IsNaN(m) {
		t.Errorf("median of nothing %v", m)
	}
	if r := RatioOf(a, b, same); r != 2 { // of 2, 4 and 0.5
		t.Errorf("ratio %v", r)
	}
	if r := RatioOf(a, b[:1], same); !math.IsNaN(r) {
		t.Errorf("ratio to a base that failed: %v", r)
	}
}

func TestRound(t *testing.T) {
	stop := make(chan os.Signal, 1)
	var turns []int
	turn := func(i int) error {
		if turns = append(turns, i); len(turns) == 7 {
			stop <- os.Interrupt
		}
		return nil
	}
	if err := Round(5, stop, turn); err != nil {
		t.Error(err)
	}
	if slices.Sort(turns); !slices.Equal(turns, []int{0, 1, 2, 3, 4}) {
		t.Errorf("turns %v", turns)
	}
	if err := Round(5, stop, turn); err != ErrInterrupted || len(turns) != 7 {
		t.Errorf("%v after %d turns", err, len(turns))
	}
	failed := errors.New("failed")
	if err := Round(5, stop, func(int) error { return failed }); err != failed {
		t.Errorf("error %v", err)
	}
}
