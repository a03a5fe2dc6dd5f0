//go:build netring_try_overlay

package hook

import (
	"encoding/json"
	"os"

	"netringtry/github.com/netring-go/netring"
)

// report is what the program writes for netring-try, see package stats.
type report struct {
	PID          int           `json:"pid"`
	Program      string        `json:"program"`
	Listeners    int64         `json:"listeners"`               // listeners made on netring
	Dials        int64         `json:"dials"`                   // connections dialled on netring
	Engine       string        `json:"engine"`                  // the engine in use, or the last one
	EngineReason string        `json:"engine_reason,omitempty"` // see netring.Stats
	Stats        netring.Stats `json:"stats"`                   // of the default Poller
}

// engine has the latest counters of a default Poller that was in use.
var engine netring.Stats

// encodeReport returns the report of now.
func encodeReport() ([]byte, error) {
	s := netring.DefaultStats()
	if s.Reactors > 0 || s.Engine != netring.EngineAuto {
		engine = s
	}
	return json.MarshalIndent(report{
		PID:          os.Getpid(),
		Program:      os.Args[0],
		Listeners:    listeners.Load(),
		Dials:        dials.Load(),
		Engine:       engine.Engine.String(),
		EngineReason: engine.EngineReason,
		Stats:        s,
	}, "", "\t")
}
