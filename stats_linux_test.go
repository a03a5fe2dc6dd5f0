package netring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// consistent checks what holds for the Stats of any Poller.
func consistent(t testing.TB, s Stats) {
	t.Helper()
	var sum Counters
	for _, r := range s.PerReactor {
		sum.add(r.Counters)
	}
	if sum != s.Counters {
		t.Errorf("the reactors' counters add up to\n%+v, not to\n%+v", sum, s.Counters)
	}
	var batches uint64
	for _, n := range s.BatchSizes {
		batches += n
	}
	if batches != s.Batches || s.Ops < s.Batches {
		t.Errorf("%d submissions of %d operations, by their size %v", s.Batches, s.Ops, s.BatchSizes)
	}
	if s.Opened-s.Closed != uint64(s.Connections) {
		t.Errorf("%d connections opened, %d closed, %d open", s.Opened, s.Closed, s.Connections)
	}
}

// Stats counts connections and each byte once, whichever way it goes.
func TestStatsCount(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		p := s.poller
		ln := s.listen(t)
		d := Dialer{Poller: p}
		dial := func() (client, server net.Conn) {
			client, err := d.Dial("tcp", ln.Addr().String())
			must(t, err)
			t.Cleanup(func() { closeQuietly(t, client) })
			server, err = ln.Accept()
			must(t, err)
			t.Cleanup(func() { closeQuietly(t, server) })
			return client, server
		}
		client, server := dial()
		var in, out uint64
		check := func(step string) {
			t.Helper()
			must(t, server.(*Conn).Flush())
			must(t, client.(*Conn).Flush())
			st := p.Stats()
			if st.BytesIn != in || st.BytesOut != out {
				t.Errorf("%s: %d bytes in and %d out, want %d and %d", step, st.BytesIn, st.BytesOut, in, out)
			}
			consistent(t, st)
		}
		exchange := func(c, peer net.Conn, n int) {
			t.Helper()
			done := make(chan error, 1)
			go func() {
				_, err := io.CopyN(io.Discard, struct{ io.Reader }{peer}, int64(n))
				done <- err
			}()
			_, err := c.Write(make([]byte, n))
			must(t, err)
			must(t, c.(*Conn).Flush())
			must(t, <-done)
			in, out = in+uint64(n), out+uint64(n)
		}
		check("at first")
		for range 3 {
			exchange(client, server, 100)
			exchange(server, client, 300_000)
		}
		check("Read and Write")

		name := filepath.Join(t.TempDir(), "file")
		must(t, os.WriteFile(name, make([]byte, 100_000), 0o600))
		f, err := os.Open(name)
		must(t, err)
		defer f.Close()
		received := make(chan error, 1)
		go func() {
			_, err := io.ReadFull(client, make([]byte, 100_000))
			received <- err
		}()
		n, err := server.(*Conn).ReadFrom(f)
		must(t, err)
		must(t, <-received)
		in, out = in+uint64(n), out+uint64(n)
		check("sendfile")

		// A proxy: what client sends goes through server and upstream to sink.
		upstream, sink := dial()
		proxied := make(chan error, 1)
		go func() {
			_, err := io.Copy(upstream, server)
			proxied <- err
		}()
		go func() {
			_, err := io.ReadFull(sink, make([]byte, 200_000))
			received <- err
		}()
		_, err = client.Write(make([]byte, 200_000))
		must(t, err)
		must(t, client.(*Conn).CloseWrite())
		must(t, <-proxied)
		must(t, <-received)
		in, out = in+400_000, out+400_000
		check("splice")

		st := p.Stats()
		if st.Accepted != 2 || st.Dialled != 2 || st.TakenOver != 0 || st.Opened != 4 || st.Connections != 4 || st.Descriptors != 5 {
			t.Errorf("with 4 connections: %+v", st)
		}
		if ls := ln.(*Listener).Stats(); ls != (ListenerStats{Accepted: 2}) {
			t.Errorf("the listener: %+v", ls)
		}
		wrapped, err := (&Dialer{Poller: p}).WrapConn(dialStd(t, ln.Addr()))
		must(t, err)
		closeQuietly(t, wrapped)
		closeQuietly(t, client)
		closeQuietly(t, server)
		within(t, "the end of three connections", func() {
			for p.Stats().Closed != 3 {
				time.Sleep(time.Millisecond)
			}
		})
		st = p.Stats()
		consistent(t, st)
		if st.TakenOver != 1 || st.Opened != 5 || st.Connections != 2 {
			t.Errorf("with 2 connections: %+v", st)
		}
	})
}

// Stats counts the bytes of messages, without their control messages.
func TestStatsCountMessages(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, client := s.unixPair(t, "unixpacket")
		to := &net.UnixAddr{Name: "/nowhere", Net: "unixpacket"} // the kernel ignores it
		b, oob := make([]byte, 100), make([]byte, unix.CmsgSpace(4))
		for i, step := range []struct {
			name    string
			send    func() (n, oobn int, err error)
			receive func() (int, error)
		}{
			{"ReadMsgUnix",
				func() (int, int, error) { return client.WriteMsgUnix(b[:5], unix.UnixRights(0), nil) },
				func() (int, error) {
					n, oobn, _, _, err := server.ReadMsgUnix(b, oob)
					must(t, err)
					cmsgs, err := unix.ParseSocketControlMessage(oob[:oobn])
					must(t, err)
					fds, err := unix.ParseUnixRights(&cmsgs[0])
					must(t, err)
					return n, unix.Close(fds[0])
				}},
			{"ReadFromUnix",
				func() (int, int, error) { n, err := server.WriteToUnix(b[:7], to); return n, 0, err },
				func() (int, error) { n, _, err := client.ReadFromUnix(b); return n, err }},
		} {
			before := s.poller.Stats()
			sent, _, err := step.send()
			must(t, err)
			n, err := step.receive()
			must(t, err)
			st := s.poller.Stats()
			want := uint64(5 + 2*i)
			if in, out := st.BytesIn-before.BytesIn, st.BytesOut-before.BytesOut; in != want || out != want || n != sent {
				t.Errorf("%s: %d of %d bytes received, %d counted as in and %d as out, want %d", step.name, n, sent, in, out, want)
			}
		}
	})
}

// Every field of Counters is part of the sum, and has a name in JSON.
func TestCountersAreComplete(t *testing.T) {
	var one func(v reflect.Value)
	one = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == "" || tag != strings.ToLower(tag) {
					t.Errorf("%v.%s has the JSON name %q", v.Type(), v.Type().Field(i).Name, tag)
				}
				one(v.Field(i))
			}
		case reflect.Array:
			for i := range v.Len() {
				one(v.Index(i))
			}
		case reflect.Int:
			v.SetInt(v.Int() + 1)
		case reflect.Uint64:
			v.SetUint(v.Uint() + 1)
		}
	}
	var ones, twos, sum Counters
	one(reflect.ValueOf(&ones).Elem())
	one(reflect.ValueOf(&twos).Elem())
	one(reflect.ValueOf(&twos).Elem())
	sum.add(ones)
	sum.add(ones)
	if sum != twos {
		t.Errorf("1 + 1 is %+v", sum)
	}
	text, err := json.Marshal(Stats{Engine: EngineURing, Counters: ones})
	must(t, err)
	var back Stats
	must(t, json.Unmarshal(text, &back))
	if back.Engine != EngineURing || back.Counters != ones || !bytes.Contains(text, []byte(`"bytes_in":1`)) {
		t.Errorf("JSON: %s", text)
	}
}

// DefaultStats tells of the default Poller. Its counters survive the default Poller's
// end.
func TestDefaultStats(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			setEngine(t, engine.String())
			before := awaitUnused(t)
			l, err := Listen("tcp", "127.0.0.1:0")
			if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
				t.Skipf("io_uring is refused here: %v", err)
			}
			must(t, err)
			dialStd(t, l.Addr())
			c, err := l.Accept()
			must(t, err)
			_, err = c.Write([]byte("hello"))
			must(t, err)
			s := DefaultStats()
			if s.Engine != engine || s.EngineReason != "" || s.Descriptors != 2 || s.Reactors < 1 || s.Accepted != before.Accepted+1 || s.BytesOut != before.BytesOut+5 {
				t.Errorf("in use: %+v", s)
			}
			consistent(t, s)
			must(t, c.Close())
			must(t, l.Close())
			after := awaitUnused(t)
			consistent(t, after)
			if after.Accepted != before.Accepted+1 || after.BytesOut != before.BytesOut+5 || after.Closed != before.Closed+1 || after.Engine != EngineAuto || after.Descriptors != 0 || after.ReadBuffers.Buffers != 0 {
				t.Errorf("afterwards: %+v", after)
			}
		})
	}
}

// awaitUnused waits for the end of the default Poller and returns the DefaultStats.
func awaitUnused(t testing.TB) Stats {
	t.Helper()
	within(t, "the end of the default Poller", func() {
		for DefaultStats().Engine != EngineAuto {
			time.Sleep(time.Millisecond)
		}
	})
	return DefaultStats()
}

// logged is a slog.Handler's output, for other goroutines.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) lines(with string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, with) {
			n++
		}
	}
	return n
}

func TestLogger(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			var log logged
			s := &stack{poller: newPoller(t, Config{Engine: engine, Logger: slog.New(slog.NewTextHandler(&log, nil))})}
			if n := log.lines("level=INFO msg=\"netring: poller started\" engine=" + engine.String()); n != 1 {
				t.Errorf("the engine is logged %d times", n)
			}
			ln := s.listen(t)
			dialStd(t, ln.Addr())
			withoutDescriptors(t, func() {
				for range 2 {
					if c, err := ln.Accept(); !errors.Is(err, unix.EMFILE) {
						t.Errorf("Accept without a descriptor: %v, %v", c, err)
					}
				}
			})
			if n := log.lines("level=WARN msg=\"netring: Accept failed for lack of resources"); n != 1 {
				t.Errorf("two back-offs within a second are logged %d times", n)
			}
			if st := s.poller.Stats(); st.AcceptBackoffs != 2 || st.Accepted != 0 {
				t.Errorf("%d back-offs, %d accepted", st.AcceptBackoffs, st.Accepted)
			}
			if ls := ln.(*Listener).Stats(); ls.AcceptBackoffs != 2 {
				t.Errorf("%d back-offs of the listener", ls.AcceptBackoffs)
			}
		})
	}
}

// The lack of a feature is logged by another goroutine: a logger may write to a
// connection of the reactor that reports it.
func TestReportDoesNotBlock(t *testing.T) {
	var log logged
	p := newPoller(t, Config{Engine: engines(t)[0], Logger: slog.New(slog.NewTextHandler(&log, nil))})
	log.mu.Lock()
	p.report("something", unix.EPERM)
	log.mu.Unlock()
	within(t, "the record", func() {
		for log.lines("level=WARN msg=\"netring: something\" error=\"operation not permitted\"") != 1 {
			time.Sleep(time.Millisecond)
		}
	})
}

// Config.Trace makes regions, and only then are there any.
func TestTrace(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("a trace of the tests is being taken")
	}
	for _, engine := range engines(t) {
		for _, on := range []bool{false, true} {
			s := &stack{poller: newPoller(t, Config{Engine: engine, Trace: on})}
			var buf bytes.Buffer
			must(t, trace.Start(&buf))
			server, client := s.pair(t)
			_, err := client.Write([]byte("x"))
			must(t, err)
			_, err = server.Read(make([]byte, 1))
			must(t, err)
			_, err = server.Write([]byte("x"))
			must(t, err)
			trace.Stop()
			for _, region := range []string{"netring.Accept", "netring.Read", "netring.Write"} {
				if got := bytes.Contains(buf.Bytes(), []byte(region)); got != on {
					t.Errorf("%v, Trace %v: region %s is in the trace: %v", engine, on, region, got)
				}
			}
		}
	}
}

// A goroutine that waits in netring keeps its labels, and the goroutine profile shows
// them.
func TestProfileLabels(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		labelled := make(chan bool, 1)
		go pprof.Do(context.Background(), pprof.Labels("request", "42"), func(ctx context.Context) {
			_, _ = server.Read(make([]byte, 1))
			value, _ := pprof.Label(ctx, "request")
			labelled <- value == "42"
		})
		within(t, "a labelled goroutine in Read", func() {
			for {
				var profile bytes.Buffer
				must(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
				for record := range strings.SplitSeq(profile.String(), "\n\n") {
					if strings.Contains(record, `"request":"42"`) && strings.Contains(strings.ToLower(record), "conn).read") {
						return
					}
				}
				time.Sleep(time.Millisecond)
			}
		})
		_, err := client.Write([]byte("x"))
		must(t, err)
		if !<-labelled {
			t.Error("the label is gone")
		}
	})
}

// Buffered tells a broadcaster that a connection does not keep up.
func TestBuffered(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			const size, message = 64 << 10, 1000
			s := &stack{poller: newPoller(t, Config{Engine: engine, Coalesce: size})}
			server, client := s.pair(t)
			c := server.(*Conn)
			written := 0
			fill := func() {
				t.Helper()
				must(t, c.SetWriteDeadline(time.Now().Add(5*time.Second))) // no Write has to wait
				for c.Buffered()+message <= size {
					n, err := c.Write(make([]byte, message))
					must(t, err)
					written += n
				}
			}
			for full := false; !full; { // the socket: nobody reads
				fill()
				must(t, c.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
				err := c.Flush()
				full = errors.Is(err, os.ErrDeadlineExceeded)
				if err != nil && !full {
					t.Fatal(err)
				}
			}
			fill()
			must(t, c.SetWriteDeadline(time.Time{}))
			if n := c.Buffered(); n > size || n+message <= size {
				t.Errorf("%d bytes are buffered of %d", n, size)
			}
			_, err := io.CopyN(io.Discard, client, int64(written))
			must(t, err)
			must(t, c.Flush())
			if n := c.Buffered(); n != 0 {
				t.Errorf("%d bytes are buffered after Flush", n)
			}
			must(t, c.SetCoalescing(0))
			if n := c.Buffered(); n != 0 {
				t.Errorf("%d bytes are buffered without a buffer", n)
			}
		})
	}
}

// A Write that has room according to Buffered does not wait, also while the kernel has
// taken a part of what it was offered.
func TestBufferedLeavesRoom(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			const size, message, part = 64 << 10, 1000, 16 << 10
			s := &stack{poller: newPoller(t, Config{Engine: engine, Coalesce: size})}
			server, client := s.pair(t)
			c := server.(*Conn)
			must(t, c.SetWriteBuffer(part))
			written := 0
			fill := func(patience time.Duration) error {
				must(t, c.SetWriteDeadline(time.Now().Add(5*time.Second)))
				for c.Buffered()+message <= size {
					n, err := c.Write(make([]byte, message))
					must(t, err) // nobody reads, so a Write that waits times out
					written += n
				}
				must(t, c.SetWriteDeadline(time.Now().Add(patience)))
				return c.Flush()
			}
			for fill(20*time.Millisecond) == nil {
				// the sockets still take everything
			}
			for read := 0; written-read > size; read += part {
				_, err := io.ReadFull(client, make([]byte, part))
				must(t, err)
				if read < 2<<20 {
					_ = fill(time.Millisecond) // gives the kernel time to take a part
				}
			}
		})
	}
}
