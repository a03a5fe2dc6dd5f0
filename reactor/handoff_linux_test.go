package reactor

import (
	"fmt"
	"testing"
)

func TestHandoffTakeBounds(t *testing.T) {
	var h handoff
	var ops []*op
	for i := range 5 {
		ops = append(ops, &op{buf: make([]byte, 100*(i+1))})
	}
	h.requeue(ops...)
	var buf [4]*op
	for i, want := range [][]*op{ops[:2], ops[2:3], ops[3:4], ops[4:]} {
		got := h.take(buf[:], 400)
		if i == 2 { // op 3 alone is 400 bytes, op 4 alone is above the limit but goes all the same
			want = ops[3:4]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("take %d: got %d ops, want %d", i, len(got), len(want))
		}
	}
	if n := h.length(); n != 0 {
		t.Errorf("%d ops left", n)
	}
	if got := h.take(buf[:], 400); len(got) != 0 {
		t.Errorf("took %d ops from an empty queue", len(got))
	}
}
