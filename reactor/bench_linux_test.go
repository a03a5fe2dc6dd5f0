package reactor

import (
	"fmt"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// BenchmarkFrames reads a protocol of frames, a header of 4 bytes and then a
// payload, as it comes from a peer that sends without waiting. It decided the
// threshold below which reads go through shared buffers, and those buffers' size.
func BenchmarkFrames(b *testing.B) {
	for _, kind := range []engine.Kind{engine.URing, engine.Syscall} {
		for _, payload := range []int{28, 124, 252, 508, 1020, 2044} {
			for _, cfg := range []struct{ threshold, size int }{
				{-1, 4096}, {256, 4096}, {512, 4096}, {1024, 4096}, {4096, 4096}, {512, 2048}, {512, 16384},
			} {
				b.Run(fmt.Sprintf("%v/payload=%d/below=%d/buffer=%d", kind, payload, cfg.threshold, cfg.size), func(b *testing.B) {
					requireEngine(b, kind)
					r, err := New(Config{Engine: kind, Buffers: 8, BufferSize: cfg.size, SmallRead: cfg.threshold})
					if err != nil {
						b.Fatal(err)
					}
					defer r.Close()
					a, peer := tcpPair(b, r)
					done := make(chan struct{})
					frames := make([]byte, 16*(4+payload))
					go func() {
						defer close(done)
						for n := 0; n < b.N; n += 16 {
							if _, err := sockettest.Write(peer, frames); err != nil {
								return
							}
						}
						unix.Shutdown(peer, unix.SHUT_WR)
					}()
					buf := make([]byte, payload)
					b.SetBytes(int64(4 + payload))
					b.ResetTimer()
					for range b.N {
						for _, p := range [][]byte{buf[:4], buf} {
							for len(p) > 0 {
								n, err := a.Read(p)
								if err != nil {
									b.Fatal(err)
								}
								p = p[n:]
							}
						}
					}
					b.StopTimer()
					if err := a.Close(); err != nil {
						b.Fatal(err)
					}
					<-done
				})
			}
		}
	}
}

// BenchmarkEcho is a round trip of one small message.
func BenchmarkEcho(b *testing.B) {
	for _, kind := range []engine.Kind{engine.URing, engine.Syscall} {
		b.Run(kind.String(), func(b *testing.B) {
			requireEngine(b, kind)
			r := newReactor(b, kind)
			a, peer := tcpPair(b, r)
			var echo sync.WaitGroup // over before the peer's descriptor is closed
			echo.Go(func() {
				p := make([]byte, 128)
				for {
					n, err := sockettest.Read(peer, p)
					if err != nil || n == 0 {
						return
					}
					if _, err := sockettest.Write(peer, p[:n]); err != nil {
						return
					}
				}
			})
			buf := make([]byte, 128)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := a.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
			if err := a.Shutdown(unix.SHUT_WR); err != nil {
				b.Fatal(err)
			}
			echo.Wait()
		})
	}
}
