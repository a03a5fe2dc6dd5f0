package load

import (
	"slices"
	"testing"
)

func TestHTTPAnswers(t *testing.T) {
	good := "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + Body
	a := httpAnswers(Body)
	if err := a.check(0, 0, []byte(good)); err != nil || len(a.want) != len(good) {
		t.Errorf("%v, length %d, want %d", err, len(a.want), len(good))
	}
	// Two pipelined answers, cut at every byte.
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
		inHead, inTail := i < len(goodHead), i >= len(good)-len(Body)
		bad := good + good[:i] + "#" + good[i+1:]
		if err := a.check(0, 0, []byte(bad)); (err != nil) != (inHead || inTail) {
			t.Errorf("a wrong byte at %d: %v", i, err)
		}
	}
	for _, bad := range []string{
		"HTTP/1.1 500 no\r\n\r\n", "HTTP/1.1 500 no\r\nContent-Length: 14\r\n\r\n" + Body, "HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n",
	} {
		if err := httpAnswers(Body).check(0, 0, []byte(bad)); err == nil {
			t.Errorf("%q was taken for an answer", bad)
		}
	}
}

func TestEchoAnswers(t *testing.T) {
	for _, size := range []int{128, 4 << 10, 200_000} {
		a := echoAnswers(size)
		a.mark(7)
		msg := slices.Clone(a.want)
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
