package reactor

import "time"

// patience decides whether writes wait for the reactor's next batch.
//
// They do while that pays. The reactor yields to every runnable goroutine before it
// runs a batch, and where those compute for long, an answer that is ready would wait
// until the last of them is done. So writes go past the batches when there are few of
// them in a batch, which saves little then, or when each takes the goroutines long
// to get to: more than patiencePerWrite for each write in a batch above enoughWrites.
type patience struct {
	spent  float64 // between batches, in nanoseconds, a decaying mean
	writes float64 // made meanwhile, a decaying mean
	lost   bool
}

// One core, HTTP, handlers that compute for 50 and 200 µs, requests that come at
// random at 65 % of net's capacity: with every write in a batch the median latency was
// 1.3 and 1.4 times net's. With 64 connections that always have a request under way,
// batches of writes bring 1.15 times net's requests per second up to 50 µs, direct ones
// 1.05 times; from 200 µs on neither matters. With 16 connections, whose batches have 7
// writes in them, and with fewer, batches are 2 to 8 % behind direct writes if handlers
// compute nothing; with 20 to 50 µs they are 10 % ahead, but there latency goes first.
const (
	enoughWrites     = 7
	patiencePerWrite = 5 * time.Microsecond
)

// patienceDecay is the number of batches that the means look back on.
const patienceDecay = 8

// turned says that d has passed between two batches, and that so many writes were
// made in the one and past it. It reports whether the next is too far away to wait for.
func (p *patience) turned(writes int, d time.Duration) (lost bool) {
	if writes > 0 {
		p.spent += (float64(d) - p.spent) / patienceDecay
		p.writes += (float64(writes) - p.writes) / patienceDecay
		p.lost = p.spent > p.writes*(p.writes-enoughWrites)*float64(patiencePerWrite)
	}
	return p.lost
}
