package reactor

import (
	"runtime"
	"testing"
)

// The keeper follows GOMAXPROCS: with one P, wake has nothing to gain.
func TestSysmonKeeperCountsPs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var k sysmonKeeper
	for _, procs := range []int{2, 1, 2} {
		runtime.GOMAXPROCS(procs)
		k.begin()
		if !k.timer.Stop() {
			t.Error("no timer was set")
		}
		if got := k.manyPs.Load(); got != (procs > 1) {
			t.Errorf("with %d Ps, there are many: %v", procs, got)
		}
		k.worked.Store(true)
		runtime.GOMAXPROCS(3 - procs)
		k.fire()
		if !k.timer.Stop() {
			t.Error("the timer was not set again, although there was work")
		}
		if got := k.manyPs.Load(); got != (procs == 1) {
			t.Errorf("with %d Ps, there are many: %v", 3-procs, got)
		}
	}
}
