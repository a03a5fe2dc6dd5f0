package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
)

// answers is what a client of a workload expects to receive, over and over.
type answers struct {
	length int // of one; 0: not known yet

	// Of echo messages.
	message []byte

	// Of HTTP answers; what is between them has the date.
	head, tail []byte

	// all says to compare every byte of an echo message. Else only the ends of each
	// piece that arrives are compared, since more would cost the load generator as
	// much as receiving it.
	all bool
}

// ends is how many bytes of a piece are compared at its beginning and at its end.
const ends = 64

// echoAnswers expects messages of size bytes.
func echoAnswers(size int) *answers {
	p := pattern()
	return &answers{length: size, message: bytes.Repeat(p, size/len(p)+1)[:size]}
}

// httpAnswers expects answers of the HTTP servers.
func httpAnswers() *answers {
	return &answers{head: []byte("HTTP/1.1 200 "), tail: []byte(helloBody)}
}

// mark puts a connection's number into the message, so that an answer that went
// to another connection shows.
func (a *answers) mark(id int) {
	if len(a.message) >= 4 {
		binary.LittleEndian.PutUint32(a.message, uint32(id))
	}
}

// check compares p, which arrived on connection id after got bytes of answers,
// with what should be there.
func (a *answers) check(id, got int, p []byte) error {
	if a.message == nil {
		return a.checkHTTP(got, p)
	}
	a.mark(id)
	for len(p) > 0 {
		at := got % a.length
		n := min(len(p), a.length-at)
		piece, want := p[:n], a.message[at:at+n]
		ok := bytes.Equal
		if !a.all && n > 2*ends {
			ok = func(x, y []byte) bool {
				return bytes.Equal(x[:ends], y[:ends]) && bytes.Equal(x[n-ends:], y[n-ends:])
			}
		}
		if !ok(piece, want) {
			return fmt.Errorf("connection %d: wrong bytes at offset %d of the message: %.20x… instead of %.20x…", id, at, piece, want)
		}
		p, got = p[n:], got+n
	}
	return nil
}

func (a *answers) checkHTTP(got int, p []byte) error {
	if a.length == 0 {
		if err := a.learn(p); err != nil {
			return err
		}
	}
	for len(p) > 0 {
		at := got % a.length
		n := min(len(p), a.length-at)
		piece := p[:n]
		if at < len(a.head) && !bytes.HasPrefix(a.head[at:], piece[:min(n, len(a.head)-at)]) {
			return fmt.Errorf("not a good answer: %.60q", piece)
		}
		tail := a.length - len(a.tail)
		if from := max(tail, at); from < at+n && !bytes.HasPrefix(a.tail[from-tail:], piece[from-at:]) {
			return fmt.Errorf("not the body: %.60q", piece[from-at:])
		}
		p, got = p[n:], got+n
	}
	return nil
}

// learn looks at the first answer for its length. All are equally long.
func (a *answers) learn(p []byte) error {
	if !bytes.HasPrefix(p, a.head) {
		return fmt.Errorf("not a good answer: %.60q", p)
	}
	head, _, ok := bytes.Cut(p, []byte("\r\n\r\n"))
	_, length, ok2 := bytes.Cut(head, []byte("Content-Length: "))
	if !ok || !ok2 {
		return fmt.Errorf("an answer without a length: %.200q", p)
	}
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	n, err := strconv.Atoi(string(length))
	if err != nil || n != len(a.tail) {
		return fmt.Errorf("an answer of length %q", length)
	}
	a.length = len(head) + 4 + n
	return nil
}
