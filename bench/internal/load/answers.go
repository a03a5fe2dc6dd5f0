package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
)

// answers is the answer that a client expects, again and again.
type answers struct {
	want       []byte // one answer; nil until its length is known
	head, tail int    // bytes compared at both ends: an HTTP answer has the date in between
	marked     bool   // the answer begins with the connection's number
	body       string // of HTTP answers

	// all makes check compare every byte of a message. Otherwise it compares the ends of each
	// piece that arrives: comparing a long piece costs as much as receiving it.
	all bool
}

// ends is how many bytes of a piece are compared at each end.
const ends = 64

// exactAnswers expects the same bytes each time.
func exactAnswers(answer []byte) *answers {
	return &answers{want: answer, head: len(answer), all: true}
}

// echoAnswers expects messages of size bytes, marked with the connection's number.
func echoAnswers(size int) *answers {
	p := Pattern()
	a := exactAnswers(bytes.Repeat(p, size/len(p)+1)[:size])
	a.marked = true
	return a
}

// goodHead is how an HTTP answer begins.
const goodHead = "HTTP/1.1 200 "

// httpAnswers expects the answers of net/http, whose length it learns from the first.
func httpAnswers(body string) *answers {
	return &answers{head: len(goodHead), tail: len(body), body: body}
}

// mark puts a connection's number into the message. check then notices an answer to another
// connection.
func (a *answers) mark(id int) {
	if a.marked {
		binary.LittleEndian.PutUint32(a.want, uint32(id))
	}
}

// check compares p, which arrived on connection id after got bytes of answers, with what is
// expected there.
func (a *answers) check(id, got int, p []byte) error {
	if a.want == nil {
		if err := a.learn(p); err != nil {
			return err
		}
	}
	a.mark(id)
	for len(p) > 0 {
		at := got % len(a.want)
		end := min(at+len(p), len(a.want))
		from, to := a.head, len(a.want)-a.tail // what lies between is not compared
		if from == len(a.want) && !a.all && end-at > 2*ends {
			from, to = at+ends, end-ends
		}
		from, to = max(min(from, end), at), min(max(to, at), end)
		piece := p[:end-at]
		if !bytes.Equal(piece[:from-at], a.want[at:from]) || !bytes.Equal(piece[to-at:], a.want[to:end]) {
			return fmt.Errorf("connection %d: wrong bytes at offset %d of the answer: %.60q… instead of %.60q…", id, at, piece, a.want[at:end])
		}
		p, got = p[end-at:], got+end-at
	}
	return nil
}

// learn takes the length of answers from the first HTTP answer.
func (a *answers) learn(p []byte) error {
	head, _, ok := bytes.Cut(p, []byte("\r\n\r\n"))
	_, length, ok2 := bytes.Cut(head, []byte("Content-Length: "))
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	if n, err := strconv.Atoi(string(length)); !ok || !ok2 || err != nil || n != len(a.body) {
		return fmt.Errorf("the first answer is %.200q; its body should have %d bytes", p, len(a.body))
	}
	a.want = make([]byte, len(head)+4+len(a.body))
	copy(a.want, goodHead)
	copy(a.want[len(head)+4:], a.body)
	return nil
}
