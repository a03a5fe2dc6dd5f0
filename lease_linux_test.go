package netring

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
)

func TestReadLease(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		c := server.(*Conn)
		_, data := transferFile(t, 300_000)
		go func() {
			client.Write(data)
			client.Close()
		}()
		var got []byte
		one := make([]byte, 1)
		var leases []Lease
		for i := 0; ; i++ {
			if i%3 == 0 { // a small read leaves bytes, which the next ReadLease returns
				n, err := c.Read(one)
				got = append(got, one[:n]...)
				if err == io.EOF {
					break
				}
				must(t, err)
			}
			l, err := c.ReadLease()
			if err == io.EOF {
				break
			}
			must(t, err)
			got = append(got, l.Bytes()...)
			leases = append(leases, l)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("got %d bytes of %d, or they differ", len(got), len(data))
		}
		used := s.poller.Stats().ReadBuffers.InUse
		if used == 0 || used > len(leases) {
			t.Errorf("%d leases, and %d buffers in use", len(leases), used)
		}
		must(t, c.Close())
		if _, err := c.ReadLease(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		for i := range leases { // leases outlive the connection
			leases[i].Release()
		}
		if n := s.poller.Stats().ReadBuffers.InUse; n != 0 {
			t.Errorf("%d buffers in use after Release", n)
		}
		func() {
			defer func() {
				if recover() == nil && used > 0 {
					t.Error("a second Release went unnoticed")
				}
			}()
			for i := range leases {
				leases[i].Release()
			}
		}()
		var zero Lease
		zero.Release()
	})
}

// When all shared buffers are in use, a lease gets memory from the heap.
func TestReadLeaseRunsOut(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			s := &stack{poller: newPoller(t, Config{Engine: engine, Reactors: 1, ReadBuffers: 2, ReadBufferSize: 512})}
			var leases []Lease
			for i := range 5 {
				server, client := s.pair(t)
				_, err := client.Write([]byte{byte(i), 7})
				must(t, err)
				l, err := server.(*Conn).ReadLease()
				must(t, err)
				leases = append(leases, l)
			}
			for i := range leases {
				if want := []byte{byte(i), 7}; !bytes.Equal(leases[i].Bytes(), want) {
					t.Errorf("lease %d has %v", i, leases[i].Bytes())
				}
				leases[i].Release()
			}
		})
	}
}
