package proc

import (
	"errors"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sh starts a shell as a child.
func sh(t *testing.T, script string, cpus ...int) *Child {
	t.Helper()
	c, err := Start(exec.Command("sh", "-c", script), cpus)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChild(t *testing.T) {
	c := sh(t, "echo 1234; read line; exit 3")
	line, err := c.Line(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if port, err := ParsePort(line); err != nil || port != 1234 {
		t.Errorf("port %d, %v", port, err)
	}
	if _, err := CPUTime(c.PID); err != nil {
		t.Error(err)
	}
	if err := c.End(time.Minute); err == nil || err.Error() != "exit status 3" {
		t.Errorf("its end: %v", err)
	}
	if _, err := ParsePort("no"); err == nil {
		t.Error("a port that is none")
	}
}

// TestChildThatHangs has children that do not answer, and do not end.
func TestChildThatHangs(t *testing.T) {
	c := sh(t, "exec sleep 60")
	if err := c.End(20 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "had to be killed") {
		t.Errorf("its end: %v", err)
	}
	c = sh(t, "exec sleep 60")
	if _, err := c.Line(20 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("its answer: %v", err)
	}
	if err := c.Kill(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("its end: %v", err)
	}
	c = sh(t, "exit 2")
	if _, err := c.Line(time.Minute); err != io.EOF {
		t.Errorf("the line of a child that has exited: %v", err)
	}
	if err := c.End(time.Minute); err == nil || err.Error() != "exit status 2" {
		t.Errorf("its end: %v", err)
	}
}

func TestOnCPUs(t *testing.T) {
	runtime.LockOSThread() // the thread that is looked at before and after
	defer runtime.UnlockOSThread()
	var allowed, bound, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	first := 0
	for !allowed.IsSet(first) {
		first++
	}
	failed := errors.New("failed")
	err := OnCPUs([]int{first}, func() error {
		if err := unix.SchedGetaffinity(0, &bound); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) || bound.Count() != 1 || !bound.IsSet(first) {
		t.Errorf("%v, on %d CPUs", err, bound.Count())
	}
	if err := OnCPUs(nil, func() error { return unix.SchedGetaffinity(0, &after) }); err != nil || after != allowed {
		t.Errorf("%v, on %d CPUs instead of %d", err, after.Count(), allowed.Count())
	}
	if _, _, err := CPUs("nonsense"); err == nil {
		t.Error("a setting that is none")
	}
}
