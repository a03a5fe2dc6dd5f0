package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/netring-go/netring"
)

// noise is how far two measurements of the same thing lie apart on a busy machine.
const noise = 0.05

// fewFiles is the limit of open files below which a server of many connections
// runs into it.
const fewFiles = 10000

// advise says what to change, if anything.
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
		say("%v was faster here than %v, which runs now: %.2f against %.2f of net. Measure again when the machine is idle; if it stays so, set %s=%v.",
			best, d.Engine, ratio[best], ratio[d.Engine], netring.EngineEnv, best)
	case ratio[d.Engine] < 1-noise:
		say("net was faster here for this load: consider %s=net.", netring.EngineEnv)
	}
	ring := len(d.Features) > 0
	for _, f := range d.Features {
		if !f.Supported && d.Engine == netring.EngineURing {
			say("%s came with Linux %s; a newer kernel brings it.", f.Name, f.Since)
		}
		ring = ring && f.Supported
	}
	if !ring && d.Engine == netring.EngineSyscall && len(d.Features) > 0 {
		say("The syscall engine is a fine default: it runs the same batches. If you want io_uring: %s", d.Reason)
	}
	if soft, err := strconv.Atoi(strings.Split(d.Limits.OpenFiles, "/")[0]); err == nil && soft < fewFiles {
		say("At most %d files may be open, so fewer connections can be: raise the limit (ulimit -n, LimitNOFILE, --ulimit nofile).", soft)
	}
	if len(advice) == 0 {
		say("There is nothing to change.")
	}
	return advice
}
