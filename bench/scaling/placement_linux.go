package main

import "math/rand/v2"

// placement simulates connections that are placed round robin and stay with their
// reactor: how much more than its share does the busiest reactor get? It is the
// one section that measures nothing.
func (m *measurement) placement() error {
	m.printf("## Placement (simulated)\n\n| reactors | connections | busiest reactor ÷ mean, all alike | half of them have closed | a tenth makes nine tenths of the requests |\n|---|---|---|---|---|\n")
	r := rand.New(rand.NewPCG(1, 2)) // the same every time
	for _, reactors := range []int{2, 8, 64} {
		for _, conns := range []int{64, 1024, 16384} {
			if conns < reactors {
				continue
			}
			alike := busiest(reactors, conns, 1, func() float64 { return 1 })
			closed := busiest(reactors, 2*conns, 20, func() float64 { return float64(r.IntN(2)) })
			skewed := busiest(reactors, conns, 20, func() float64 {
				if r.IntN(10) == 0 {
					return 81 // 0.1·81 : 0.9·1 = 9 : 1
				}
				return 1
			})
			m.printf("| %d | %d | %.2f | %.2f | %.2f |\n", reactors, conns, alike, closed, skewed)
		}
	}
	m.printf("\n")
	return nil
}

// busiest places connections of random weight and returns the largest load of a
// reactor divided by the mean, as a mean of several tries.
func busiest(reactors, conns, tries int, weight func() float64) float64 {
	var sum float64
	for range tries {
		load := make([]float64, reactors)
		var all, most float64
		for c := range conns {
			w := weight()
			all += w
			load[c%reactors] += w
			most = max(most, load[c%reactors])
		}
		sum += most * float64(reactors) / all
	}
	return sum / float64(tries)
}
