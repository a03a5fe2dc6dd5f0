package reactor

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/netring-go/netring/reactor/engine"
)

// longAgo is what net/http, for each request, and others set to interrupt a call.
// To recognise it saves reading the clock, the slowest step here.
var longAgo = time.Unix(1, 0)

// past is a deadline that has passed, on the clock of monotonic.
const past time.Duration = 1

var (
	processStart   = time.Now()
	processStartTS = engine.Clock()
)

// longestRun is longer than any process runs.
const longestRun = 10 * 365 * 24 * time.Hour

// monotonic is a clock that started with the program and is never 0. It is a
// third of the size of a time.Time.
func monotonic() time.Duration {
	d := time.Since(processStart)
	if d < 0 || d > longestRun { // the clock of a synctest bubble
		d = engine.Clock() - processStartTS
	}
	return d + 1
}

// toMonotonic returns t on the clock of monotonic.
func toMonotonic(t time.Time) time.Duration {
	if hasMonotonic(t) {
		d := t.Sub(processStart)
		if d < math.MaxInt64 {
			d++ // as monotonic does
		}
		return max(d, past)
	}
	// It is from a wall clock, or of a synctest bubble: what counts is how far away it
	// is, as in package net.
	d := time.Until(t)
	if d <= 0 {
		return past
	}
	now := monotonic()
	return now + min(d, math.MaxInt64-now)
}

// hasMonotonic reports whether t has a reading of the monotonic clock.
func hasMonotonic(t time.Time) bool { return t != t.Round(0) }

// inBubble reports whether the calling goroutine is in a testing/synctest bubble:
// times made there have no monotonic reading.
func inBubble() bool {
	if hasMonotonic(time.Now()) {
		return false
	}
	bubbles.Store(true)
	return true
}

// InBubble reports whether the calling goroutine is in a testing/synctest bubble.
func InBubble() bool { return inBubble() }

// bubbles says that the process has had a synctest bubble, as far as is known.
var bubbles atomic.Bool
