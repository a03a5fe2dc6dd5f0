package main

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// freeAddress returns a TCP address that nothing uses.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestCompare(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	p := tryCommand(t, serverDir, "compare", "-rounds", "2", ".", "-addr", address, "--", self)
	p.Env = append(p.Env, loadEnv+"=http://"+address+"/")
	p.start(t)
	if status := p.end(t); status != 0 {
		t.Fatalf("exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
	}
	for _, want := range []string{
		"net", "netring/net", "requests/s", "too few rounds", "Median of 2 rounds",
		"netring in the last round:", "listeners 1, dialled connections 0, engine ", "accepted ",
	} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, p.stdout.String())
		}
	}
	for _, want := range []string{"round 1 of 2, net ", "round 2 of 2, netring "} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, p.stderr.String())
		}
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("a server is left on its address")
	}
}

// TestCompareFails checks that a comparison that cannot be made ends in time, says why and
// leaves no server behind.
func TestCompareFails(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	address := freeAddress(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{".", "-addr", address}, `needs a load command after "--"`},
		{[]string{".", "--", "true"}, "give it, as in -wait"},
		{[]string{"-rounds", "0", ".", "-addr", address, "--", "true"}, "-rounds is 0; use 1 to 100"},
		{[]string{".", "-addr", used.Addr().String(), "--", "true"}, "something answers on"},
		{[]string{"-wait", address, ".", "-exit", "1", "--", "true"}, "the server has ended by itself"},
		{[]string{"-wait", address, "-ready", "100ms", ".", "--", "true"}, "does not answer on " + address + " after 100ms"},
		{[]string{".", "-addr", address, "--", "false"}, `the load command ["false"] failed: exit status 1`},
		{[]string{"-timeout", "100ms", ".", "-addr", address, "--", "sleep", "60"}, "deadline exceeded"},
	} {
		start := time.Now()
		p, status := try(t, serverDir, append([]string{"compare"}, test.args...)...)
		if status != 1 || !strings.Contains(p.stderr.String(), test.want) {
			t.Errorf("%q: exit status %d, want 1 and the text %q:\n%s", test.args, status, test.want, p.stderr.String())
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%q: took %v", test.args, took)
		}
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Fatalf("%q: a server is left on its address", test.args)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"nonsense"}} {
		if p, status := try(t, ".", args...); status == 0 || !strings.Contains(p.stderr.String(), "compare") {
			t.Errorf("%q: exit status %d\n%s", args, status, p.stderr.String())
		}
	}
	if out := mustTry(t, ".", "help"); !strings.Contains(out, "-dial") {
		t.Errorf("help:\n%s", out)
	}
}
