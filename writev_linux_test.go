package netring

import (
	"bytes"
	"fmt"
	"net"
	"testing"
)

// Writev is one write of any number of pieces.
func TestWritev(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		c := server.(*Conn)
		var want []byte
		got := receive(client)
		for _, pieces := range []int{0, 1, 2, 7, 1023, 1024, 1025, 3000} {
			var bufs [][]byte
			for i := range pieces {
				p := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, i*pieces%700)
				bufs = append(bufs, p)
				want = append(want, p...)
			}
			before := fmt.Sprint(len(bufs), bytes.Join(bufs, nil))
			total := len(bytes.Join(bufs, nil))
			if n, err := c.Writev(bufs); n != int64(total) || err != nil {
				t.Fatalf("%d pieces: %d of %d bytes, %v", pieces, n, total, err)
			}
			if fmt.Sprint(len(bufs), bytes.Join(bufs, nil)) != before {
				t.Error("Writev changed its argument")
			}
		}
		must(t, c.Close())
		if !bytes.Equal(<-got, want) {
			t.Error("the peer got something else")
		}
		_, err := c.Writev([][]byte{{1}})
		checkOpError(t, err, "writev", c.LocalAddr(), c.RemoteAddr(), net.ErrClosed, 0)
	})
}
