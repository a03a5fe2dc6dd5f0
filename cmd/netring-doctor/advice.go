package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/netring-go/netring"
)

// fewFiles is the limit of open files that is too low for many connections.
const fewFiles = 10000

// advise returns what to change, or that nothing needs a change.
func advise(d *diagnosis) (advice []string) {
	for _, a := range []string{adviseEngine(d), adviseMeasured(d), adviseKernel(d), adviseFiles(d)} {
		if a != "" {
			advice = append(advice, a)
		}
	}
	if len(advice) == 0 {
		return []string{"There is nothing to change."}
	}
	return advice
}

// adviseEngine is about the engine that runs. The engine that Auto has chosen needs no
// change by itself: the advice is for who wants the other one.
func adviseEngine(d *diagnosis) string {
	probed := len(d.Features) > 0
	switch {
	case d.ListenError != "":
		return "netring cannot serve before the error above is gone."
	case d.Engine == netring.EngineNet && !strings.HasPrefix(d.Reason, netring.EngineEnv):
		return "Package net serves everything on this system: only Linux has netring's engines."
	case d.Engine == netring.EngineNet:
		return fmt.Sprintf("Package net serves everything: Listen and Dial return package net's own types. "+
			"To see what netring would run, unset %s and run netring-doctor again.", netring.EngineEnv)
	case d.Engine == netring.EngineSyscall && probed:
		return "The syscall engine is a fine default: it runs the same batches. If you want io_uring: " + d.Reason
	}
	return ""
}

// adviseMeasured is about an engine that was faster than the engine that runs.
func adviseMeasured(d *diagnosis) string {
	const again = "Measure again on an idle machine, and with your own load."
	isLower := func(engine, against netring.Engine) bool {
		c := d.Measurement.find(engine, against)
		return c != nil && c.Rate.Verdict == lower
	}
	better := netring.EngineNet
	switch {
	case d.MeasurementError != "":
		return "The engines were not compared, because the measurement failed."
	case d.Engine == netring.EngineURing && isLower(netring.EngineURing, netring.EngineSyscall) && !isLower(netring.EngineSyscall, netring.EngineNet):
		better = netring.EngineSyscall
	case !isLower(d.Engine, netring.EngineNet):
		return ""
	}
	return fmt.Sprintf("%v was faster here than %v, which runs now. %s If the result is the same, set %s=%v.",
		better, d.Engine, again, netring.EngineEnv, better)
}

// adviseKernel is about features of io_uring that a ring lacks here.
func adviseKernel(d *diagnosis) string {
	if d.Engine != netring.EngineURing || d.ListenError != "" {
		return "" // adviseEngine has said why
	}
	var newer, refused []string
	for _, f := range d.Features {
		switch {
		case f.Supported:
		case olderThan(d.Kernel, f.Since):
			newer = append(newer, fmt.Sprintf("%s (Linux %s)", f.Name, f.Since))
		default:
			refused = append(refused, fmt.Sprintf("%s (%s)", f.Name, f.Reason))
		}
	}
	var said []string
	if len(newer) > 0 {
		said = append(said, "A newer kernel has: "+strings.Join(newer, ", ")+". The table above says what each is for.")
	}
	if len(refused) > 0 {
		said = append(said, "This kernel should have, but refuses: "+strings.Join(refused, ", ")+
			". A seccomp filter may forbid io_uring_register, see docs/containers.md.")
	}
	return strings.Join(said, "\n")
}

// olderThan reports whether a kernel release, such as 6.1.0-rc3, is older than a version
// of the form 5.19. It reports false if the release has another form.
func olderThan(release, version string) bool {
	major, minor, ok := parseVersion(release)
	wantMajor, wantMinor, wantOK := parseVersion(version)
	return ok && wantOK && (major < wantMajor || major == wantMajor && minor < wantMinor)
}

func parseVersion(s string) (major, minor int, ok bool) {
	n, err := fmt.Sscanf(s, "%d.%d", &major, &minor)
	return major, minor, n == 2 && err == nil
}

// adviseFiles is about a limit of open files that is too low. Package os has raised the
// soft limit to the hard one.
func adviseFiles(d *diagnosis) string {
	soft, err := strconv.Atoi(strings.Split(d.Limits.OpenFiles, "/")[0])
	if err != nil || soft >= fewFiles {
		return ""
	}
	return fmt.Sprintf("The limit of open files is %d, which also limits connections; raise it (ulimit -Hn, LimitNOFILE, --ulimit nofile).", soft)
}
