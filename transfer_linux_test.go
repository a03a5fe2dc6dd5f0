package netring

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// transferFile returns an open file of n bytes at offset 0, and its content.
func transferFile(t *testing.T, n int) (*os.File, []byte) {
	t.Helper()
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*i>>7 ^ i)
	}
	name := filepath.Join(t.TempDir(), "data")
	must(t, os.WriteFile(name, data, 0o600))
	f, err := os.Open(name)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f, data
}

// receive reads from c in the background until io.EOF.
func receive(c net.Conn) <-chan []byte {
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(struct{ io.Reader }{c})
		got <- b
	}()
	return got
}

type hiddenFile struct { // not an *os.File, but a syscall.Conn
	io.Reader
	syscall.Conn
}

func TestRow08Sendfile(t *testing.T) {
	const size = 3 << 20
	for _, tc := range []struct {
		name   string
		limit  int64 // < 0: none
		skip   int64 // the file's offset
		hidden bool
	}{
		{"whole", -1, 0, false},
		{"from the middle", -1, size / 2, false},
		{"limited", 100_001, 7, false},
		{"limit beyond the end", size, size - 10, false},
		{"limit 0", 0, 0, false},
		{"hidden", -1, 5, true},
		{"hidden and limited", 10, 5, true},
		{"at the end", -1, size, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				f, data := transferFile(t, size)
				server, client := s.pair(t)
				_, err := f.Seek(tc.skip, io.SeekStart)
				must(t, err)
				var r io.Reader = f
				if tc.hidden {
					r = hiddenFile{f, f}
				}
				want := data[tc.skip:]
				var lr *io.LimitedReader
				if tc.limit >= 0 {
					lr = &io.LimitedReader{R: r, N: tc.limit}
					r, want = lr, want[:min(tc.limit, int64(len(want)))]
				}
				got := receive(client)
				n, err := server.(io.ReaderFrom).ReadFrom(r)
				must(t, err)
				must(t, server.Close())
				if n != int64(len(want)) || !bytes.Equal(<-got, want) {
					t.Errorf("sent %d bytes, want %d, or they differ", n, len(want))
				}
				if pos, err := f.Seek(0, io.SeekCurrent); err != nil || pos != tc.skip+n {
					t.Errorf("the file is at %d, want %d (%v)", pos, tc.skip+n, err)
				}
				if lr != nil && lr.N != tc.limit-n {
					t.Errorf("the limit left is %d, want %d", lr.N, tc.limit-n)
				}
			})
		})
	}
	// The limit exceeds what the sockets hold, so the transfer takes several calls.
	stacks(t, func(t *testing.T, s *stack) {
		f, data := transferFile(t, 24<<20)
		server, client := s.pair(t)
		const limit = 20 << 20
		got := receive(client)
		n, err := server.(io.ReaderFrom).ReadFrom(&io.LimitedReader{R: f, N: limit})
		must(t, errors.Join(err, server.Close()))
		if n != limit || !bytes.Equal(<-got, data[:limit]) {
			t.Errorf("sent %d bytes, want %d, or they differ", n, limit)
		}
	})
	// All of the transfers above copy no byte through memory.
	rings(t, func(t *testing.T, s *stack) {
		f, data := transferFile(t, size)
		server, client := s.pair(t)
		got := receive(client)
		n, handled, err := server.(*Conn).moveFrom(f, -1)
		must(t, errors.Join(err, server.Close()))
		if n != size || !handled || !bytes.Equal(<-got, data) {
			t.Errorf("%d bytes went by sendfile (%v)", n, handled)
		}
		// A reader without a file goes through memory.
		server, client = s.pair(t)
		got = receive(client)
		m, err := server.(*Conn).ReadFrom(bytes.NewReader(data))
		must(t, errors.Join(err, server.Close()))
		if m != size || !bytes.Equal(<-got, data) {
			t.Errorf("%d bytes were copied", m)
		}
	})
}

// The write deadline and Close interrupt a transfer, which returns the bytes sent.
func TestRow08TransferInterrupted(t *testing.T) {
	for _, tc := range [][2]string{{"sendfile", "deadline"}, {"sendfile", "close"}, {"splice", "deadline"}, {"splice", "close"}} {
		how := tc[1]
		t.Run(tc[0]+", "+how, func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				server, client := s.pair(t)
				var f io.Reader
				if tc[0] == "sendfile" {
					f, _ = transferFile(t, 32<<20) // more than fits the sockets' buffers
				} else {
					src, in := s.pair(t)
					f = src
					sent := make(chan bool)
					go func() {
						defer close(sent)
						in.Write(make([]byte, 64<<20)) // ends when the test closes it
					}()
					defer func() { in.Close(); <-sent }()
				}
				type result struct {
					n   int64
					err error
				}
				done := make(chan result, 1)
				go func() {
					n, err := server.(io.ReaderFrom).ReadFrom(f)
					done <- result{n, err}
				}()
				one := make([]byte, 1)
				_, err := io.ReadFull(client, one) // now the transfer is under way
				must(t, err)
				want := net.ErrClosed
				if how == "close" {
					must(t, server.Close())
				} else {
					want = os.ErrDeadlineExceeded
					must(t, server.SetWriteDeadline(time.Now()))
				}
				var res result
				within(t, "the transfer", func() { res = <-done })
				oe, ok := res.err.(*net.OpError)
				if !ok || oe.Op != "readfrom" || !errors.Is(oe.Err, want) {
					t.Errorf("it ended with %#v", res.err)
				}
				if how == "deadline" {
					must(t, server.Close())
					if tc[0] == "splice" {
						return // both stacks lose the bytes in the pipe
					}
					rest, err := io.ReadAll(client)
					if err != nil || int64(len(rest))+1 != res.n {
						t.Errorf("it says %d bytes, the peer got %d (%v)", res.n, len(rest)+1, err)
					}
				}
			})
		})
	}
}

// A file of 1 GiB arrives byte for byte, by sendfile.
func TestRow08OneGiB(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const size = 1 << 30
	f, err := os.Create(filepath.Join(t.TempDir(), "big"))
	must(t, err)
	defer f.Close()
	block := make([]byte, 64<<10)
	for off := int64(0); off < size; off += 16 << 20 { // with holes in between
		for i := range block {
			block[i] = byte(int64(i) ^ off>>20 ^ int64(i)>>8)
		}
		_, err := f.WriteAt(block, off+off>>10)
		must(t, err)
	}
	must(t, f.Truncate(size))
	want := sha256.New()
	_, err = io.Copy(want, f)
	must(t, err)
	rings(t, func(t *testing.T, s *stack) {
		_, err := f.Seek(0, io.SeekStart)
		must(t, err)
		server, client := s.pair(t)
		sent := make(chan error, 1)
		go func() {
			n, handled, err := server.(*Conn).moveFrom(f, -1)
			if n != size || !handled {
				t.Errorf("%d bytes went by sendfile (%v)", n, handled)
			}
			sent <- errors.Join(err, server.Close())
		}()
		got := sha256.New()
		n, err := io.CopyBuffer(struct{ io.Writer }{got}, struct{ io.Reader }{client}, make([]byte, 1<<20))
		must(t, errors.Join(err, <-sent))
		if n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("%d bytes arrived, or they differ", n)
		}
	})
}

// proxyPairs runs f with a source and a destination, for each combination of net and
// netring.
func proxyPairs(t *testing.T, f func(t *testing.T, in, src, dst, out net.Conn)) {
	rings(t, func(t *testing.T, s *stack) {
		std := &stack{name: "net"}
		for name, pair := range map[string][2]*stack{
			"netring to netring": {s, s}, "net to netring": {std, s}, "netring to net": {s, std},
		} {
			t.Run(name, func(t *testing.T) {
				src, in := pair[0].pair(t)
				dst, out := pair[1].pair(t)
				f(t, in, src, dst, out)
			})
		}
	})
}

func TestRow08Splice(t *testing.T) {
	proxyPairs(t, func(t *testing.T, in, src, dst, out net.Conn) {
		_, data := transferFile(t, 5<<20)
		go func() {
			in.Write(data)
			in.(*net.TCPConn).CloseWrite()
		}()
		// Part of it is read ahead, by a small read.
		head := make([]byte, 3)
		_, err := io.ReadFull(src, head)
		must(t, err)
		got := receive(out)
		// Bounded first, then to the end, both by io.Copy.
		n1, err := io.Copy(dst, &io.LimitedReader{R: src, N: 1_000_000})
		must(t, err)
		n2, err := io.Copy(dst, src)
		must(t, err)
		must(t, dst.Close())
		if n1 != 1_000_000 || n1+n2+3 != int64(len(data)) {
			t.Errorf("copied %d and %d bytes", n1, n2)
		}
		if !bytes.Equal(append(head, <-got...), data) {
			t.Error("the copy differs")
		}
	})
}

func TestRow09WriteTo(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		_, data := transferFile(t, 1<<20)
		server, client := s.pair(t)
		go func() {
			client.Write(data)
			client.Close()
		}()
		var b bytes.Buffer
		n, err := server.(io.WriterTo).WriteTo(&b)
		if n != int64(len(data)) || err != nil || !bytes.Equal(b.Bytes(), data) {
			t.Errorf("WriteTo: %d, %v", n, err)
		}
	})
	// Between connections, no byte goes through memory, and WriteTo returns errors.
	proxyPairs(t, func(t *testing.T, in, src, dst, out net.Conn) {
		must(t, src.SetReadDeadline(time.Unix(1, 0)))
		_, err := io.Copy(dst, src)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a copy after the deadline: %v", err)
		}
		must(t, src.SetReadDeadline(time.Time{}))
		if c, ok := dst.(*Conn); ok {
			in.Write([]byte("hello"))
			in.Close()
			n, handled, err := c.moveFrom(src, -1)
			if n != 5 || !handled || err != nil {
				t.Errorf("spliced %d bytes (%v), %v", n, handled, err)
			}
		}
	})
}

// While io.Copy waits for its source, other calls can write to its destination.
func TestRow19CopyLocksForAStep(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		dst, dstPeer := s.pair(t)
		src1, peer1 := s.pair(t)
		src2, peer2 := s.pair(t)
		var wg sync.WaitGroup
		for _, src := range []net.Conn{src1, src2} {
			wg.Go(func() {
				if n, err := io.Copy(dst, src); n != 5 || err != nil {
					t.Errorf("Copy: %d, %v", n, err)
				}
			})
		}
		read := func(want string) {
			t.Helper()
			buf := make([]byte, len(want))
			within(t, want, func() {
				if _, err := io.ReadFull(dstPeer, buf); string(buf) != want || err != nil {
					t.Errorf("the destination's peer reads %q, %v; want %q", buf, err, want)
				}
			})
		}
		for _, tc := range []struct {
			from net.Conn
			text string
		}{{peer1, "one, "}, {dst, "write"}, {peer2, "two, "}} {
			if _, err := tc.from.Write([]byte(tc.text)); err != nil {
				t.Fatal(err)
			}
			read(tc.text)
		}
		must(t, errors.Join(peer1.Close(), peer2.Close()))
		within(t, "the copies", wg.Wait)
	})
}

// A copy ends with the same error as with package net.
func TestRow19CopyEnds(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for name, prepare := range map[string]func(dst, src, peer net.Conn) error{
			"destination closed, source at its end": func(dst, _, peer net.Conn) error { return errors.Join(dst.Close(), peer.Close()) },
			"destination closed": func(dst, _, peer net.Conn) error {
				_, err := peer.Write([]byte("x"))
				return errors.Join(err, dst.Close())
			},
			"source closed":            func(_, src, _ net.Conn) error { return src.Close() },
			"both closed":              func(dst, src, _ net.Conn) error { return errors.Join(dst.Close(), src.Close()) },
			"source's deadline passed": func(_, src, _ net.Conn) error { return src.SetReadDeadline(time.Unix(1, 0)) },
			"destination's deadline passed": func(dst, _, peer net.Conn) error {
				_, err := peer.Write([]byte("x"))
				return errors.Join(err, dst.SetWriteDeadline(time.Unix(1, 0)))
			},
		} {
			t.Run(network+"/"+name, func(t *testing.T) {
				var want string
				stacks(t, func(t *testing.T, s *stack) {
					address := "127.0.0.1:0"
					if network == "unix" {
						address = filepath.Join(t.TempDir(), "s")
					}
					ln := s.listenOn(t, network, address)
					pair := func() (server, client net.Conn) {
						client, err := net.Dial(network, ln.Addr().String())
						must(t, err)
						t.Cleanup(func() { client.Close() })
						server, err = ln.Accept()
						must(t, err)
						t.Cleanup(func() { closeQuietly(t, server) })
						return server, client
					}
					dst, _ := pair()
					src, peer := pair()
					must(t, prepare(dst, src, peer))
					_, err := io.Copy(dst, src)
					got := errorShape(err)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("%s, want %s (%v)", got, want, err)
					}
				})
			})
		}
	}
}
