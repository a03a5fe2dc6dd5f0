package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

func TestMedianAndRatio(t *testing.T) {
	w := &workload{}
	for _, n := range [][2]int64{{100, 50}, {400, 100}, {200, 400}} {
		w.Rounds = append(w.Rounds, map[string]loadResult{
			"a": {Result: load.Result{Requests: n[0], Elapsed: time.Second}}, "net": {Result: load.Result{Requests: n[1], Elapsed: time.Second}},
		})
	}
	if m := w.median("a", loadResult.Rate); m != 200 {
		t.Errorf("median %v", m)
	}
	if r, n := w.ratio("a", "net", loadResult.Rate); r != 2 || n != 3 { // of 2, 4 and 0.5
		t.Errorf("ratio %v of %d rounds", r, n)
	}
	delete(w.Rounds[0], "net")
	if r, n := w.ratio("a", "net", loadResult.Rate); r != 2.25 || n != 2 { // of 4 and 0.5
		t.Errorf("ratio %v of %d rounds", r, n)
	}
	if _, n := w.ratio("b", "net", loadResult.Rate); n != 0 {
		t.Errorf("a ratio of %d rounds without results", n)
	}
	if got := w.impls("net"); !slices.Equal(got, []string{"net", "a"}) {
		t.Errorf("implementations %q", got)
	}
	w.leaveOut("a", "why not")
	if got := w.impls("net"); !slices.Equal(got, []string{"net"}) || w.LeftOut["a"] != "why not" {
		t.Errorf("implementations %q, left out %q", got, w.LeftOut)
	}
}

func TestHTTPAnswers(t *testing.T) {
	good := "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + helloBody
	a := httpAnswers()
	if err := a.check(0, 0, []byte(good)); err != nil || a.length != len(good) {
		t.Errorf("%v, length %d, want %d", err, a.length, len(good))
	}
	// Two pipelined ones, in all pieces.
	two := good + good
	for cut := range len(two) + 1 {
		if err := a.check(0, 0, []byte(two[:cut])); err != nil {
			t.Errorf("up to %d: %v", cut, err)
		}
		if err := a.check(0, cut, []byte(two[cut:])); err != nil {
			t.Errorf("from %d: %v", cut, err)
		}
	}
	for i := range len(good) {
		inHead, inTail := i < len("HTTP/1.1 200 "), i >= len(good)-len(helloBody)
		bad := good + good[:i] + "#" + good[i+1:]
		if err := a.check(0, 0, []byte(bad)); (err != nil) != (inHead || inTail) {
			t.Errorf("a wrong byte at %d: %v", i, err)
		}
	}
	for _, bad := range []string{
		"HTTP/1.1 500 no\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n",
	} {
		if err := httpAnswers().check(0, 0, []byte(bad)); err == nil {
			t.Errorf("%q was taken for an answer", bad)
		}
	}
}

func TestEchoAnswers(t *testing.T) {
	for _, size := range []int{128, 4 << 10, 200_000} {
		a := echoAnswers(size)
		a.mark(7)
		msg := slices.Clone(a.message)
		if err := a.check(8, 0, msg); err == nil {
			t.Errorf("%d bytes: the answer to another connection was taken", size)
		}
		for _, at := range []int{0, 4, 63, size / 2, size - 1} {
			a.all = true
			if err := a.check(7, at, msg[at:]); err != nil {
				t.Errorf("%d bytes, from %d: %v", size, at, err)
			}
			msg[at] ^= 1
			if err := a.check(7, 0, msg); err == nil {
				t.Errorf("%d bytes: a wrong byte at %d was not seen", size, at)
			}
			a.all = false
			if err := a.check(7, 0, msg); (err != nil) != (at < ends || size-at <= ends || size <= 2*ends) {
				t.Errorf("%d bytes: a wrong byte at %d, looking at the ends: %v", size, at, err)
			}
			msg[at] ^= 1
		}
	}
}

func TestRowNames(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows(1234) {
		if seen[r.name] {
			t.Errorf("%s is there twice", r.name)
		}
		seen[r.name] = true
		if many := r.job.Idle > 0; many != strings.Contains(r.name, "1234") {
			t.Errorf("%s has %d idle connections", r.name, r.job.Idle)
		}
		if _, ok := r.serverOf("net"); !ok {
			t.Errorf("%s does not apply to net", r.name)
		}
	}
}
