package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/netring-go/netring/bench/internal/child"
	"github.com/netring-go/netring/bench/internal/server"
)

func TestSetConstant(t *testing.T) {
	const source = `package p

const single = 1 // a comment
const typed time.Duration = 5 * time.Millisecond

var variable = 2

const (
	// first is documented.
	first, second = 1 << 4, (2 + 3)
	repeated      = iota
	implicit
)
`
	for constant, want := range map[string][2]string{
		"single": {"single = 1 //", "single = x+1 //"},
		"typed":  {"= 5 * time.Millisecond", "= x+1"},
		"first":  {"1 << 4,", "x+1,"},
		"second": {"(2 + 3)", "x+1"},
	} {
		got, err := setConstant([]byte(source), constant, "x+1")
		if want := strings.Replace(source, want[0], want[1], 1); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", constant, err, got)
		}
	}
	for _, unknown := range []string{"variable", "implicit", "third"} {
		_, err := setConstant([]byte(source), unknown, "1")
		if want := `constant "` + unknown + `" is unknown; use first, repeated, second, single, typed`; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", unknown, err, want)
		}
	}
}

func TestVariantNames(t *testing.T) {
	for name, want := range map[string]entrant{
		"uring@a=1":               {cfg: server.Config{Stack: "uring", Kind: server.Echo}, variant: "a=1"},
		"net@HEAD~3":              {cfg: server.Config{Stack: "net", Kind: server.Echo}, variant: "HEAD~3"},
		"syscall+cw@a=1<<3;b=x+1": {cfg: server.Config{Stack: "syscall", Kind: server.Echo, Coalesce: true}, variant: "a=1<<3;b=x+1"},
		"uring+lease@origin/main": {cfg: server.Config{Stack: "uring", Kind: server.Lease}, variant: "origin/main"},
	} {
		want.name = name
		e, ok := workload{kind: server.Echo, extra: []string{"+cw", "+lease"}}.entrant(name)
		if _, err := compare(&options{impls: name, re: regexp.MustCompile("")}); err != nil || !ok || e != want {
			t.Errorf("%s: %v, %+v", name, err, e)
		}
	}
	for _, name := range []string{
		"uring@", "@a=1", "uring@a=1;", "uring@;a=1", "uring@a=", "uring@=1", "uring@a=1;b", "uring@b;a=1", "c-epoll@a=1", "gnet@a=1", "uring+no@a=1",
	} {
		if _, err := compare(&options{impls: name}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVariant builds a variant that knows a kind of server by another name, and starts it.
func TestVariant(t *testing.T) {
	_, b := measure(t, "compare")
	b.builds.tuning = "internal/server/server_linux.go"
	exe, err := b.builds.variant(b.ctx, `Echo="renamed"`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := child.StartServer(exec.Command(exe, "-child", server.Config{Kind: "renamed", Stack: "net"}.String()), child.AllCPUs)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.End(); err != nil {
		t.Error(err)
	}
	rows := []row{{servers: []entrant{{name: "uring@nonsense=1", variant: "nonsense=1"}}}}
	if err := b.variants(rows); err == nil || !strings.Contains(err.Error(), `constant "nonsense" is unknown`) {
		t.Errorf("an unknown constant: %v", err)
	}
}
