//go:build netring_try_overlay

package hook

import (
	"encoding/json"
	"internal/runtime/exithook"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"netringtry/github.com/netring-go/netring"
)

// statsEnv names the file that receives the counters. %p in the name stands for the
// process ID.
const statsEnv = "NETRING_TRY_STATS"

// statsInterval is how often the counters are read and written. netring's default Poller
// outlives its last connection by a quarter of a second, so no counter escapes.
const statsInterval = 100 * time.Millisecond

// report is the content of the file.
type report struct {
	PID          int
	Program      string
	Listeners    int64         // listeners made on netring
	Dials        int64         // connections dialled on netring
	Engine       string        // the engine in use, or the last one
	EngineReason string        // see netring.Stats
	Stats        netring.Stats // counters are sums over all default Pollers so far
}

// reporter writes the counters of this process.
type reporter struct {
	mu      sync.Mutex
	file    string
	ended   netring.Stats // sum of the counters of default Pollers that have ended
	last    netring.Stats // the latest counters of the default Poller
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
	s := r.sum(netring.DefaultStats())
	data, err := json.MarshalIndent(report{
		PID:          os.Getpid(),
		Program:      os.Args[0],
		Listeners:    listeners.Load(),
		Dials:        dials.Load(),
		Engine:       s.Engine.String(),
		EngineReason: s.EngineReason,
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

// sum returns now, the default Poller's counters, plus those of its predecessors. Fields
// that are gauges are those of now. While there is no Poller, sum returns the latest.
func (r *reporter) sum(now netring.Stats) netring.Stats {
	if reflect.ValueOf(now).IsZero() {
		now = r.last
		now.Descriptors, now.Waiting = 0, 0
	} else if now.Ops+now.Direct < r.last.Ops+r.last.Direct { // a new Poller counts from zero
		addCounters(reflect.ValueOf(&r.ended).Elem(), reflect.ValueOf(r.last))
	}
	r.last = now
	addCounters(reflect.ValueOf(&now).Elem(), reflect.ValueOf(r.ended))
	return now
}

// addCounters adds the counters of from to those of to: all fields of type uint64.
func addCounters(to, from reflect.Value) {
	for i := range to.NumField() {
		switch f := to.Field(i); f.Kind() {
		case reflect.Uint64:
			f.SetUint(f.Uint() + from.Field(i).Uint())
		case reflect.Struct:
			addCounters(f, from.Field(i))
		}
	}
}
