package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// results is what -json writes and -render reads.
type results struct {
	Base      string // the implementation that ratios are to
	Runs      []runInfo
	Workloads []*workload
}

// runInfo says where results come from.
type runInfo struct {
	Command string
	Date    string
	CPU     string
	CPUs    int
	Kernel  string
	Go      string
	Rounds  int
	Turn    time.Duration
}

// describeRun returns what is known of this machine and invocation.
func describeRun(args []string, b *bench) (info runInfo, err error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return info, os.NewSyscallError("uname", err)
	}
	cpu, err := cpuModel()
	return runInfo{
		Command: commandLine(args),
		Date:    time.Now().UTC().Format(time.DateOnly),
		CPU:     cpu,
		CPUs:    runtime.NumCPU(),
		Kernel:  unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]),
		Go:      runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Rounds:  b.rounds,
		Turn:    b.dur,
	}, err
}

// plain matches an argument that a shell takes as it is.
var plain = regexp.MustCompile(`^[-+=:,./\w]+$`)

// commandLine is what to type to run the program with args.
func commandLine(args []string) string {
	words := []string{"go run ."}
	for _, arg := range args {
		if !plain.MatchString(arg) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// cpuModel is the model's name, where the system knows one.
func cpuModel() (string, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value), nil
		}
	}
	return "unknown model, " + runtime.GOARCH, nil
}

func writeResults(file string, res *results) error {
	data, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o666)
}

// readResults reads the files and puts the rounds of the same workload together.
func readResults(files []string) (*results, error) {
	all := &results{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var res results
		if err := json.Unmarshal(data, &res); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if all.Base != "" && res.Base != all.Base {
			return nil, fmt.Errorf("%s has ratios to %q, other files to %q", file, res.Base, all.Base)
		}
		all.merge(&res)
	}
	return all, nil
}

// merge adds other's results.
func (r *results) merge(other *results) {
	r.Base = other.Base
	r.Runs = append(r.Runs, other.Runs...)
	for _, w := range other.Workloads {
		same := r.find(w.Setting, w.Name)
		if same == nil {
			r.Workloads = append(r.Workloads, w)
			continue
		}
		same.Rounds = append(same.Rounds, w.Rounds...)
		for impl, reason := range w.LeftOut {
			if same.LeftOut == nil {
				same.LeftOut = map[string]string{}
			}
			same.LeftOut[impl] = reason
		}
	}
}

func (r *results) find(setting, name string) *workload {
	for _, w := range r.Workloads {
		if w.Setting == setting && w.Name == name {
			return w
		}
	}
	return nil
}

// settings returns the settings, in the order that they were measured in.
func (r *results) settings() (names []string) {
	for _, w := range r.Workloads {
		if !slices.Contains(names, w.Setting) {
			names = append(names, w.Setting)
		}
	}
	return names
}

// of returns the workloads of a setting.
func (r *results) of(setting string) (ws []*workload) {
	for _, w := range r.Workloads {
		if w.Setting == setting {
			ws = append(ws, w)
		}
	}
	return ws
}
