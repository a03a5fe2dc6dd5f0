// Package netringexpvar publishes netring's counters as variables of package [expvar],
// which serves them as JSON at /debug/vars.
package netringexpvar

import (
	"expvar"

	"github.com/netring-go/netring"
)

// Publish publishes the Stats of p under name, such as "netring". nil means the default
// Poller, see [netring.DefaultStats]. Each request for the variable takes new Stats.
//
// Like [expvar.Publish], Publish ends the program if the name is in use. It may be called
// concurrently. A published Poller stays reachable.
func Publish(name string, p *netring.Poller) { expvar.Publish(name, expvar.Func(statsOf(p))) }

func statsOf(p *netring.Poller) func() any {
	return func() any {
		if p == nil {
			return netring.DefaultStats()
		}
		return p.Stats()
	}
}
