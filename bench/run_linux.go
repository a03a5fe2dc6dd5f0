package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// row is one workload.
type row struct {
	kind  string // of the server
	size  int    // bytes of an echo message
	conns int
}

func (r row) String() string {
	switch r.kind {
	case "http":
		return fmt.Sprintf("HTTP, %d conns", r.conns)
	case "file":
		return "file of 1 GiB, per MiB"
	case "proxy":
		return "io.Copy between connections, per MiB"
	}
	size := fmt.Sprintf("%d B", r.size)
	if r.size >= 1024 {
		size = fmt.Sprintf("%d KiB", r.size>>10)
	}
	return fmt.Sprintf("echo %s, %d conns", size, r.conns)
}

func rows() (rs []row) {
	for _, n := range []int{1, 16, 64, 256} {
		rs = append(rs, row{"http", 0, n})
	}
	for _, size := range []int{128, 4 << 10, 64 << 10} {
		for _, n := range []int{1, 32, 256} {
			rs = append(rs, row{"echo", size, n})
		}
	}
	return append(rs, row{kind: "file", conns: 1}, row{kind: "proxy", conns: 2})
}

// bulkOf is the kind of a row that moves bytes, "" for others.
func bulkOf(kind string) string {
	if kind == "file" || kind == "proxy" {
		return kind
	}
	return ""
}

// bench is one invocation of the command.
type bench struct {
	rounds int
	dur    time.Duration
	impls  []string
	stop   <-chan os.Signal
}

// proc is a child process.
type proc struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	port int // of a server
}

// start runs this program as a child, on the given CPUs (nil: all).
func start(what string, cpus []int) (*proc, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &proc{cmd: exec.Command(exe, "-child", what)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := onCPUs(cpus, p.cmd.Start); err != nil {
		return nil, err
	}
	return p, nil
}

// readPort reads the port that a server prints first.
func (p *proc) readPort() error {
	line, err := p.out.ReadString('\n')
	if err == nil {
		p.port, err = strconv.Atoi(strings.TrimSpace(line))
	}
	return err
}

// onCPUs runs f on a thread that is bound to cpus, which what f starts inherits.
func onCPUs(cpus []int, f func() error) error {
	if cpus == nil {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	return errors.Join(f(), os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &before)))
}

// end closes the child's standard input, which makes it exit.
func (p *proc) end() error {
	err := p.in.Close()
	return errors.Join(err, p.cmd.Wait())
}

// cpuTime is the CPU time the process has used.
func (p *proc) cpuTime() (time.Duration, error) {
	// The clock id of a process's CPU time, see clock_getcpuclockid(3).
	clock := int32(^uint32(p.cmd.Process.Pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}

// turn runs one job against a server.
func turn(load, server *proc, job loadJob) (res loadResult, err error) {
	job.Port = server.port
	if err := json.NewEncoder(load.in).Encode(job); err != nil {
		return res, err
	}
	var before, after time.Duration
	for {
		line, err := load.out.ReadString('\n')
		if err != nil {
			return res, fmt.Errorf("the load generator: %w", err)
		}
		switch strings.TrimSpace(line) {
		case markStart:
			before, err = server.cpuTime()
		case markEnd:
			after, err = server.cpuTime()
		default:
			err = json.Unmarshal([]byte(line), &res)
			if err == nil && res.Err != "" {
				err = errors.New(res.Err)
			}
			if err == nil && res.Requests == 0 {
				err = errors.New("no request was answered")
			}
			res.CPU = after - before
			return res, err
		}
		if err != nil {
			return res, err
		}
	}
}

// setting measures all rows that match in one setting.
func (b *bench) setting(name string, match *regexp.Regexp) (err error) {
	var serverCPUs, loadCPUs []int
	switch name {
	case "one-core":
		if runtime.NumCPU() < 2 {
			return errors.New("needs two CPUs: one for the server, one for the load")
		}
		serverCPUs, loadCPUs = []int{0}, []int{1}
	case "shared":
	default:
		return errors.New("unknown setting: want one-core or shared")
	}
	servers := map[string]*proc{}
	defer func() {
		for _, p := range servers {
			err = errors.Join(err, p.end())
		}
	}()
	load, err := start("load", loadCPUs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, load.end()) }()
	fmt.Printf("## %s: %d rounds of %v, Go %s, %d CPUs\n\n", name, b.rounds, b.dur, runtime.Version()[2:], runtime.NumCPU())
	fmt.Println("| workload | server | requests/s | CPU µs/request | p50 µs | p99 µs | requests/s ratio | CPU ratio | p50 ratio | p99 ratio |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows() {
		if !match.MatchString(r.String()) {
			continue
		}
		for _, impl := range b.impls {
			key := impl + "/" + r.kind
			if servers[key] != nil {
				continue
			}
			p, err := start("server/"+key, serverCPUs)
			if err != nil {
				return err
			}
			servers[key] = p
			if err := p.readPort(); err != nil {
				return fmt.Errorf("server %s did not start: %w", key, err)
			}
		}
		if err := b.row(r, load, servers); err != nil {
			return fmt.Errorf("%v: %w", r, err)
		}
	}
	fmt.Println()
	return nil
}

// row measures and prints one workload.
func (b *bench) row(r row, load *proc, servers map[string]*proc) error {
	results := map[string][]loadResult{}
	for range b.rounds {
		for _, i := range rand.Perm(len(b.impls)) {
			select {
			case <-b.stop:
				return errors.New("interrupted")
			default:
			}
			impl := b.impls[i]
			job := loadJob{Conns: r.conns, Size: r.size, Bulk: bulkOf(r.kind), Warmup: b.dur / 10, Duration: b.dur}
			res, err := turn(load, servers[impl+"/"+r.kind], job)
			if err != nil {
				return fmt.Errorf("%s: %w", impl, err)
			}
			results[impl] = append(results[impl], res)
		}
	}
	base := results[b.impls[0]]
	for _, impl := range b.impls {
		rs := results[impl]
		fmt.Printf("| %v | %s | %.0f | %.2f | %.0f | %.0f | %.2f | %.2f | %.2f | %.2f |\n", r, impl,
			median(rs, rate), median(rs, cpuPer), median(rs, p50), median(rs, p99),
			ratio(rs, base, rate), ratio(rs, base, cpuPer), ratio(rs, base, p50), ratio(rs, base, p99))
	}
	return nil
}

func rate(r loadResult) float64   { return float64(r.Requests) / r.Elapsed.Seconds() }
func cpuPer(r loadResult) float64 { return float64(r.CPU.Nanoseconds()) / 1e3 / float64(r.Requests) }
func p50(r loadResult) float64    { return float64(r.P50.Nanoseconds()) / 1e3 }
func p99(r loadResult) float64    { return float64(r.P99.Nanoseconds()) / 1e3 }

// median of f over the rounds.
func median(rs []loadResult, f func(loadResult) float64) float64 {
	vs := make([]float64, len(rs))
	for i, r := range rs {
		vs[i] = f(r)
	}
	return middle(vs)
}

// ratio is the median of the rounds' ratios of f to the base's.
func ratio(rs, base []loadResult, f func(loadResult) float64) float64 {
	vs := make([]float64, len(rs))
	for i := range rs {
		vs[i] = f(rs[i]) / f(base[i])
	}
	return middle(vs)
}

func middle(vs []float64) float64 {
	slices.Sort(vs)
	n := len(vs)
	if n%2 == 1 {
		return vs[n/2]
	}
	return (vs[n/2-1] + vs[n/2]) / 2
}
