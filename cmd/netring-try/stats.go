package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// report is what a program built by netring-try writes to the file that [statsEnv] names. The
// packages hook of the two modes write it.
type report struct {
	Deep         bool           `json:"deep"` // written in deep mode
	PID          int            `json:"pid"`
	Program      string         `json:"program"`
	Listeners    int64          `json:"listeners"`
	Dials        int64          `json:"dials"`
	Engine       string         `json:"engine"`
	EngineReason string         `json:"engine_reason"`
	Sockets      int64          `json:"sockets"` // in deep mode: what the reactors have served
	Stats        map[string]any `json:"stats"`   // named as in netring.Stats
}

// readReport reads the file. found is false if the program has not written any.
func readReport(file string) (r report, found bool, err error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, false, fmt.Errorf("counters in %s: %w", file, err)
	}
	return r, true, nil
}

// count returns a counter of netring.Stats, 0 if this netring has no such counter.
func (r report) count(name string) float64 {
	n, _ := r.Stats[name].(float64)
	return n
}

// print prints the report in a few lines.
func (r report) print(w io.Writer, indent string) {
	switch {
	case r.Deep && r.Sockets == 0:
		fmt.Fprintf(w, "%snetring served nothing: the program had no TCP or unix stream connection, or the engine is net (engine %s%s)\n",
			indent, r.Engine, r.reason())
		return
	case r.Deep:
		fmt.Fprintf(w, "%sconnections %d, engine %s%s\n%s", indent, r.Sockets, r.Engine, r.reason(), indent)
	case r.Listeners == 0 && r.Dials == 0:
		fmt.Fprintf(w, "%snetring served nothing: the program made no listener with net.Listen or net.ListenConfig", indent)
		fmt.Fprintf(w, " (and, without -dial, no connection counts)\n")
		return
	default:
		fmt.Fprintf(w, "%slisteners %d, dialled connections %d, engine %s%s", indent, r.Listeners, r.Dials, r.Engine, r.reason())
		fmt.Fprintf(w, "\n%saccepted %.0f, ", indent, r.count("accepted"))
	}
	batches, ops := r.count("batches"), r.count("ops")
	fmt.Fprintf(w, "bytes in %.0f, out %.0f", r.count("bytes_in"), r.count("bytes_out"))
	fmt.Fprintf(w, "\n%soperations: %.0f in %.0f batches", indent, ops, batches)
	if batches > 0 {
		fmt.Fprintf(w, " (%.1f each)", ops/batches)
	}
	fmt.Fprintf(w, ", %.0f direct\n", r.count("direct"))
}

// reason returns why the engine is in use, in parentheses, or "" if there is nothing to say.
func (r report) reason() string {
	if r.EngineReason == "" {
		return ""
	}
	return " (" + r.EngineReason + ")"
}
