package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/netring-go/netring"
)

// noise is the difference between two measurements below which they count as equal.
const noise = 0.05

// fewFiles is the limit of open files that is too low for many connections.
const fewFiles = 10000

// advise returns what to change, or that nothing needs a change.
func advise(d *diagnosis) (advice []string) {
	say := func(format string, args ...any) { advice = append(advice, fmt.Sprintf(format, args...)) }
	ratio := map[netring.Engine]float64{}
	for _, m := range d.Measurements {
		ratio[m.Engine] = m.RateRatio
	}
	best := d.Engine
	for _, m := range d.Measurements {
		if m.RateRatio > ratio[best]*(1+noise) {
			best = m.Engine
		}
	}
	switch {
	case len(ratio) == 0:
	case best != d.Engine:
		say("%v was faster here than %v, which runs now: %.2f against %.2f of net. Measure again on an idle machine. If the result is the same, set %s=%v.",
			best, d.Engine, ratio[best], ratio[d.Engine], netring.EngineEnv, best)
	case ratio[d.Engine] < 1-noise:
		say("net was faster here with this load; consider %s=net.", netring.EngineEnv)
	}
	ring := len(d.Features) > 0
	for _, f := range d.Features {
		if !f.Supported && d.Engine == netring.EngineURing {
			say("%s needs Linux %s or later; use a newer kernel.", f.Name, f.Since)
		}
		ring = ring && f.Supported
	}
	if !ring && d.Engine == netring.EngineSyscall && len(d.Features) > 0 {
		say("The syscall engine is a fine default: it runs the same batches. If you want io_uring: %s", d.Reason)
	}
	if soft, err := strconv.Atoi(strings.Split(d.Limits.OpenFiles, "/")[0]); err == nil && soft < fewFiles {
		say("The limit of open files is %d, which also limits connections; raise it (ulimit -n, LimitNOFILE, --ulimit nofile).", soft)
	}
	if len(advice) == 0 {
		say("There is nothing to change.")
	}
	return advice
}
