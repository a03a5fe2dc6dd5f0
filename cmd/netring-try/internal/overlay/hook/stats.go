//go:build netring_try_overlay

package hook

import (
	"encoding/json"
	"internal/runtime/exithook"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"netringtry/github.com/netring-go/netring"
)

// statsEnv names the file that receives the counters. %p in the name stands for the
// process ID.
const statsEnv = "NETRING_TRY_STATS"

// statsInterval is how often the counters are read and written.
const statsInterval = 100 * time.Millisecond

// report is the content of the file.
type report struct {
	PID          int           `json:"pid"`
	Program      string        `json:"program"`
	Listeners    int64         `json:"listeners"`               // listeners made on netring
	Dials        int64         `json:"dials"`                   // connections dialled on netring
	Engine       string        `json:"engine"`                  // the engine in use, or the last one
	EngineReason string        `json:"engine_reason,omitempty"` // see netring.Stats
	Stats        netring.Stats `json:"stats"`                   // of the default Poller
}

// reporter writes the counters of this process.
type reporter struct {
	mu      sync.Mutex
	file    string
	engine  netring.Stats // the latest counters of a default Poller that was in use
	written []byte
}

// reportStats starts writing the counters, if the environment asks for the file. It uses
// a timer, not a goroutine, so that leak checks find nothing. The last report is written
// when the process exits. A process killed by a signal leaves the report before.
func reportStats() {
	file := os.Getenv(statsEnv)
	if file == "" {
		return
	}
	r := &reporter{file: strings.ReplaceAll(file, "%p", strconv.Itoa(os.Getpid()))}
	r.write()
	exithook.Add(exithook.Hook{F: r.write, RunOnFailure: true})
	time.AfterFunc(statsInterval, r.tick)
}

func (r *reporter) tick() {
	r.write()
	time.AfterFunc(statsInterval, r.tick)
}

// write replaces the file if a counter has changed. A failure is printed once: it must not
// disturb the program.
func (r *reporter) write() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == "" {
		return
	}
	s := netring.DefaultStats()
	if s.Reactors > 0 || s.Engine != netring.EngineAuto {
		r.engine = s
	}
	data, err := json.MarshalIndent(report{
		PID:          os.Getpid(),
		Program:      os.Args[0],
		Listeners:    listeners.Load(),
		Dials:        dials.Load(),
		Engine:       r.engine.Engine.String(),
		EngineReason: r.engine.EngineReason,
		Stats:        s,
	}, "", "\t")
	if err == nil && string(data) != string(r.written) {
		err = replace(r.file, data)
		r.written = data
	}
	if err != nil {
		os.Stderr.WriteString("netring-try: " + statsEnv + ": " + err.Error() + "; give the name of a file in a directory that exists\n")
		r.file = ""
	}
}

// replace writes the file in one step, so that a reader never sees half of it.
func replace(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
