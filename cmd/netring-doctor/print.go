package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/netring-go/netring"
)

// print writes the diagnosis for people.
func (d *diagnosis) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	d.printEngine(w)
	d.printSystem(w)
	d.printFeatures(w)
	d.printMeasurement(w)
	fmt.Fprintln(w)
	for _, a := range d.Advice {
		fmt.Fprintln(w, a)
	}
	return w.Flush()
}

func (d *diagnosis) printEngine(w io.Writer) {
	switch {
	case d.ListenError != "":
		fmt.Fprintf(w, "engine\tnone: Listen and Dial fail: %s\n", d.ListenError)
	case d.Engine == netring.EngineNet:
		fmt.Fprintf(w, "engine\tnet: %s\n", d.Reason)
	default:
		fmt.Fprintf(w, "engine\t%v: %s\n", d.Engine, d.Reason)
		fmt.Fprintf(w, "default Poller\t%d reactors, engine %v\n", d.Default.Reactors, d.Default.Engine)
	}
}

func (d *diagnosis) printSystem(w io.Writer) {
	fmt.Fprintf(w, "kernel\t%s\n", d.Kernel)
	fmt.Fprintf(w, "go\t%s, %d CPUs, GOMAXPROCS %d\n", d.Go, d.CPUs, d.GOMAXPROCS)
	for _, l := range []struct{ name, value string }{
		{"open files (RLIMIT_NOFILE)", d.Limits.OpenFiles},
		{"locked bytes (RLIMIT_MEMLOCK)", d.Limits.LockedMemory},
		{"seccomp", d.Limits.Seccomp},
		{"kernel.io_uring_disabled", d.Limits.IOUringDisabled},
		{"kernel.io_uring_group", d.Limits.IOUringGroup},
	} {
		fmt.Fprintf(w, "%s\t%s\n", l.name, cmp.Or(l.value, "unknown"))
	}
}

func (d *diagnosis) printFeatures(w io.Writer) {
	if len(d.Features) > 0 {
		fmt.Fprintf(w, "\nio_uring\tsince\there\twithout it\n")
	}
	for _, f := range d.Features {
		here := "yes"
		if !f.Supported {
			here = "no: " + f.Reason
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, f.Since, here, f.Without)
	}
}

func (d *diagnosis) printMeasurement(w io.Writer) {
	m := d.Measurement
	switch {
	case d.MeasurementError != "":
		fmt.Fprintf(w, "\nThe measurement failed: %s\n", d.MeasurementError)
	case d.NotMeasured != "":
		fmt.Fprintf(w, "\nNot measured: %s.\n", d.NotMeasured)
	case m != nil:
		fmt.Fprintf(w, "\nEcho of %d B, %d connections, %d rounds of %v for each engine. A ratio is the median of the rounds' ratios.\n",
			m.MessageSize, m.Connections, m.Rounds, m.Turn)
		fmt.Fprintf(w, "The figures beside it are from the round with that ratio.\n")
		m.printFigures(w, "messages/s", "%.0f", func(c *comparison) *figure { return &c.Rate })
		m.printFigures(w, "CPU µs/message", "%.2f", func(c *comparison) *figure { return c.CPU })
	}
}

// printFigures prints one quantity of all comparisons. verb is for a single figure.
func (m *measurement) printFigures(w io.Writer, quantity, verb string, of func(*comparison) *figure) {
	headed := false
	for i := range m.Comparisons {
		c := &m.Comparisons[i]
		f := of(c)
		if f == nil {
			continue
		}
		if !headed {
			fmt.Fprintf(w, "\n%s\tfirst\tsecond\tratio\tquartiles\t\n", quantity)
			headed = true
		}
		fmt.Fprintf(w, "%v against %v\t"+verb+"\t"+verb+"\t%.2f\t%.2f–%.2f\t%s\n",
			c.Engine, c.Against, f.Engine, f.Against, f.Ratio, f.Low, f.High, f.Verdict)
	}
}
