package load

import (
	"bytes"
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// stream moves the bytes of Pattern from a server, to it, or through it.
type stream struct {
	*loader
	out, in *client // the connections that send and receive; either may be nil
	pattern []byte
	piece   int   // the most bytes of a write
	calls   int   // the most system calls each way before waiting
	count   int64 // bytes that arrived since warming up

	sent, got, looked int // bytes of the connection; looked is got at the last comparison
}

// newStream returns a stream through an echo server on connection c.
func (l *loader) newStream(c *client, piece, calls int) *stream {
	return &stream{loader: l, out: c, in: c, piece: piece, calls: calls, pattern: bytes.Repeat(Pattern(), max(piece/PatternSize, 1))}
}

// runStream runs a File, Source, Sink or Proxy job. A MiB counts as a request, and its latency
// is the mean time of a MiB.
func (l *loader) runStream() Result {
	const calls = 16
	l.unit = MiB
	l.step = func(*client) {} // an event only ends the waiting
	l.connectAll(l.job.Conns, func(*client) {})
	s := l.newStream(&l.conns[len(l.conns)-1], MiB, calls)
	switch l.job.Kind {
	case Proxy:
		s.out = &l.conns[0]
	case Sink:
		s.in = nil
	default:
		s.out = nil
	}
	res := l.measured(s.loop)
	if l.job.Kind == Sink {
		s.receipt()
	}
	res.P50 = res.Elapsed / time.Duration(res.Requests)
	res.P99 = res.P50
	return res
}

// loop is loader.loop with the stream. While counting, it lasts until something has arrived.
func (s *stream) loop(until time.Time) {
	for {
		left := time.Until(until)
		if left <= 0 {
			if !s.counting {
				s.count = 0
				return
			}
			if s.count > 0 || left < -NoAnswer {
				return
			}
			left = time.Millisecond
		}
		more := s.send()
		more = s.receive() || more
		if s.unit == MiB {
			s.done = s.count
		}
		switch {
		case more && s.pacer != nil:
			s.wait(0) // the quiet connections must not wait for the stream
		case !more:
			s.wait(left)
		}
	}
}

// send sends what the connection takes. After StreamSize bytes to a sink, it continues on a new
// connection. more is false if the next call would block.
func (s *stream) send() (more bool) {
	if s.out == nil {
		return false
	}
	for range s.calls {
		if s.in == nil && s.sent == StreamSize {
			s.receipt()
			s.renew()
		}
		at := s.sent % PatternSize
		end := min(len(s.pattern), at+s.piece, at+StreamSize-s.sent%StreamSize)
		n, ok := transfer("write", unix.SYS_WRITE, s.out.fd, s.pattern[at:end])
		if !ok {
			return false
		}
		s.sent += n
		if s.in == nil {
			s.count += int64(n)
		}
	}
	return true
}

// receive receives what has arrived, and more is as in send. It compares all bytes while warming
// up and on an echo's connection, otherwise one piece in 16 MiB. It cannot know a file's bytes.
func (s *stream) receive() (more bool) {
	if s.in == nil {
		return false
	}
	for i := range s.calls {
		look := s.job.Kind != File && (!s.counting || s.in == s.out || i == 0 && s.got>>24 != s.looked>>24)
		flags := unix.MSG_TRUNC // makes TCP discard the bytes: tcp(7)
		if look {
			flags = 0
		}
		n, _, err := unix.Recvfrom(s.in.fd, s.buf, flags)
		if err == unix.EAGAIN {
			return false
		}
		if err != unix.EINTR {
			check("recvfrom", err)
		}
		switch {
		case err != nil:
			continue
		case n == 0 && s.out == nil && s.got == StreamSize:
			s.renew()
			continue
		case n == 0:
			fail("the stream ended after %d bytes", s.got)
		case s.out != nil && s.got+n > s.sent:
			fail("%d bytes came back of %d", s.got+n, s.sent)
		case look:
			s.looked = s.got
			for p := s.buf[:n]; len(p) > 0; {
				at := (s.got + n - len(p)) % PatternSize
				piece := min(len(p), PatternSize-at)
				if !bytes.Equal(p[:piece], s.pattern[at:at+piece]) {
					fail("wrong bytes near offset %d", s.got)
				}
				p = p[piece:]
			}
		}
		s.got += n
		s.count += int64(n)
	}
	return true
}

// renew replaces the only connection.
func (s *stream) renew() {
	fd := s.conns[0].fd
	s.conns = s.conns[:0]
	check("close", unix.Close(fd))
	s.sent, s.got, s.looked = 0, 0, 0
	s.connect()
}

// receipt half-closes the connection and checks how many bytes the sink received.
func (s *stream) receipt() {
	check("shutdown", unix.Shutdown(s.out.fd, unix.SHUT_WR))
	var answer []byte
	for end := time.Now().Add(NoAnswer); len(answer) < 8; {
		p := s.out.read(s.buf)
		if p == nil && time.Now().Before(end) {
			s.wait(time.Until(end))
		} else if len(p) == 0 {
			fail("the sink sent no count within %v", NoAnswer)
		}
		answer = append(answer, p...)
	}
	switch n := binary.LittleEndian.Uint64(answer); n {
	case uint64(s.sent):
	case SinkFailed:
		fail("the sink received wrong bytes")
	default:
		fail("the sink received %d bytes instead of %d", n, s.sent)
	}
}
