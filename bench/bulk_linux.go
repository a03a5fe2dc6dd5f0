package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// runBulk moves bytes: from a server, to it, or through it. A MiB counts as a
// request; its latency is the mean time it takes.
func (l *loader) runBulk() (res loadResult, err error) {
	l.Unit = bulkUnit
	l.step = func(*client) error { return nil } // an event only ends the waiting
	l.msg = bytes.Repeat(pattern(), bulkUnit/patternSize)
	l.buf = make([]byte, bulkUnit)
	pump := map[string]func() (bool, error){
		loadFile: l.receive, loadSource: l.receive, loadSink: l.send, loadProxy: l.sendAndReceive,
	}[l.job.Kind]
	if err := l.connectAll(l.job.Conns, func(*client) error { return nil }); err != nil {
		return res, err
	}
	res, err = l.measure(func(until time.Time) error {
		for time.Now().Before(until) {
			more, err := pump()
			if err != nil {
				return err
			}
			if more {
				continue // there is no event to wait for
			}
			if err := l.events(time.Until(until)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && l.job.Kind == loadSink {
		err = l.receipt(&l.conns[0])
	}
	res.P50 = res.Elapsed / time.Duration(max(res.Requests, 1))
	res.P99 = res.P50
	return res, err
}

// bulkCalls is how many system calls each way are made at a time.
const bulkCalls = 16

// sendAndReceive is send and receive.
func (l *loader) sendAndReceive() (more bool, err error) {
	more, err = l.send()
	if err != nil {
		return more, err
	}
	more2, err := l.receive()
	return more || more2, err
}

// send sends on the first connection what it takes, up to bulkSize; to a sink on
// a new connection then. It says whether there may be more to do at once, as does
// receive.
func (l *loader) send() (more bool, err error) {
	c := &l.conns[0]
	for range bulkCalls {
		if l.job.Kind == loadSink && c.sent == bulkSize {
			if err := l.receipt(c); err != nil {
				return false, err
			}
			return true, l.renew()
		}
		at := c.sent % patternSize
		n, errno := load.Write(c.fd, l.msg[at:min(len(l.msg), at+bulkSize-c.sent%bulkSize)])
		if errno == unix.EAGAIN {
			return false, nil
		}
		if errno != 0 {
			return false, os.NewSyscallError("write", errno)
		}
		c.sent += n
		if l.job.Kind == loadSink {
			l.Done += int64(n)
		}
	}
	return true, nil
}

// receipt half-closes c and checks the number of bytes that the sink received.
func (l *loader) receipt(c *client) error {
	if err := unix.Shutdown(c.fd, unix.SHUT_WR); err != nil {
		return os.NewSyscallError("shutdown", err)
	}
	var answer []byte
	for end := time.Now().Add(load.NoAnswer); len(answer) < 8; {
		p, err := c.read(l.buf)
		if err == errAgain {
			left := time.Until(end)
			if left <= 0 {
				return fmt.Errorf("the sink gave no receipt within %v", load.NoAnswer)
			}
			if err := l.events(left); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		answer = append(answer, p...)
	}
	switch n := binary.LittleEndian.Uint64(answer); n {
	case uint64(c.sent):
		return nil
	case sinkFailed:
		return errors.New("the sink received wrong bytes")
	default:
		return fmt.Errorf("the sink received %d bytes instead of %d", n, c.sent)
	}
}

// renew replaces the only connection.
func (l *loader) renew() error {
	if err := unix.Close(l.conns[0].fd); err != nil {
		return os.NewSyscallError("close", err)
	}
	l.conns = l.conns[:0]
	return l.connect()
}

// receive receives what the last connection has. While warming up, and now and
// then, it looks at the bytes, where it knows what they should be.
func (l *loader) receive() (more bool, err error) {
	c := &l.conns[len(l.conns)-1]
	for i := range bulkCalls {
		look := l.job.Kind != loadFile && (!l.Counting || i == 0 && c.got>>24 != c.sent>>24)
		flags := unix.MSG_TRUNC // has TCP throw the bytes away: tcp(7)
		if look {
			flags = 0
		}
		n, _, err := unix.Recvfrom(c.fd, l.buf, flags)
		if err == unix.EAGAIN {
			return false, nil
		}
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false, os.NewSyscallError("recvfrom", err)
		}
		if n == 0 {
			if l.job.Kind == loadProxy || c.got != bulkSize {
				return false, fmt.Errorf("%w after %d bytes", io.ErrUnexpectedEOF, c.got)
			}
			return true, l.renew()
		}
		if look {
			if err := l.look(c, l.buf[:n]); err != nil {
				return false, err
			}
		}
		c.got += n
		l.Done += int64(n)
	}
	return true, nil
}

// look compares p, received on c, with the pattern.
func (l *loader) look(c *client, p []byte) error {
	c.sent = c.got // nothing is sent on it: this says where it was last looked at
	for at := c.got % patternSize; len(p) > 0; at = 0 {
		n := min(len(p), patternSize-at)
		if !bytes.Equal(p[:n], l.msg[at:at+n]) {
			return fmt.Errorf("wrong bytes near offset %d", c.got)
		}
		p = p[n:]
	}
	return nil
}
