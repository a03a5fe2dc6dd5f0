// Program uses package net in many ways and prints what it sees. The test builds it with
// and without an overlay and compares the two outputs.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(log.Lshortfile)
	dir, err := os.MkdirTemp("", "program")
	check(err)
	for _, network := range []string{"tcp", "unix"} {
		fmt.Println("#", network)
		ln := listen(network, dir)
		errorsOf(ln)
		partial(ln)
		halfClose(ln)
		closing(ln)
		raw(ln)
		files(ln, dir)
		copies(ln, dir)
		buffers(ln)
		unreachable(ln)
		stress(ln)
		check(ln.Close())
		_, err := ln.Accept()
		say("Accept of a closed listener", err)
	}
	reset(listen("tcp", dir))
	messages(listen("unix", dir))
	web(listen("tcp", dir))
	dialErrors()
	check(os.RemoveAll(dir))
}

func check(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

var varying = regexp.MustCompile(`127\.0\.0\.1:\d+|/\S+\.sock|@`)

// say prints the values, without addresses.
func say(values ...any) {
	fmt.Print(varying.ReplaceAllString(fmt.Sprintln(values...), "ADDR"))
}

// explain describes an error.
func explain(err error) string {
	var timeout interface{ Timeout() bool }
	text := fmt.Sprintf("%v [%T", err, err)
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(e) {
		text += fmt.Sprintf(" %T", e)
	}
	return text + fmt.Sprintf("] timeout=%v closed=%v EOF=%v", errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, net.ErrClosed), err == io.EOF)
}

var sockets int

func listen(network, dir string) net.Listener {
	addr := "127.0.0.1:0"
	if network == "unix" {
		sockets++
		addr = filepath.Join(dir, fmt.Sprint(sockets, ".sock"))
	}
	ln, err := net.Listen(network, addr)
	check(err)
	return ln
}

// socket is what *net.TCPConn and *net.UnixConn share.
type socket interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	CloseWrite() error
	File() (*os.File, error)
}

// pair returns the two ends of a connection.
func pair(ln net.Listener) (client, server socket) {
	accepted := make(chan socket)
	go func() {
		c, err := ln.Accept()
		check(err)
		accepted <- c.(socket)
	}()
	c, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	check(err)
	return c.(socket), <-accepted
}

func closeBoth(a, b net.Conn) {
	check(a.Close())
	check(b.Close())
}

func errorsOf(ln net.Listener) {
	a, b := pair(ln)
	say(fmt.Sprintf("%T %T", a, b))
	n, err := a.Read(nil)
	say("Read of nothing", n, err)
	n, err = a.Write(nil)
	say("Write of nothing", n, err)
	check(a.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))
	n, err = a.Read(make([]byte, 1))
	say("Read until the deadline", n, explain(err))
	n, err = b.Write([]byte("late"))
	say("Write", n, err)
	n, err = a.Read(make([]byte, 10))
	say("Read after the deadline", n, explain(err))
	n, err = a.Read(nil)
	say("Read of nothing after the deadline", n, err)
	check(a.SetDeadline(time.Unix(1, 0)))
	n, err = a.Write([]byte("x"))
	say("Write after the deadline", n, explain(err))
	check(a.SetDeadline(time.Time{}))
	p := make([]byte, 10)
	n, err = a.Read(p)
	say("Read", string(p[:n]), err)
	check(a.SetReadDeadline(time.Unix(1, 0)))
	n, err = a.Write([]byte("one side"))
	say("Write after the deadline for reads", n, explain(err))
	n, err = io.ReadFull(b, p[:8])
	say("peer", string(p[:n]), err)
	check(a.SetReadDeadline(time.Time{}))
	total := 0
	for total == 0 { // on a busy machine, the deadline may pass before the first Write
		check(b.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)))
		for err = nil; err == nil; total += n {
			n, err = b.Write(make([]byte, 1<<20))
		}
	}
	say("Write that fills the socket", total > 1000, explain(err))
	check(a.Close())
	say("second Close", explain(a.Close()))
	n, err = a.Read(p)
	say("Read after Close", n, explain(err))
	n, err = a.Write(p)
	say("Write after Close", n, explain(err))
	say("SetDeadline after Close", explain(a.SetDeadline(time.Now())))
	say("CloseWrite after Close", explain(a.CloseWrite()))
	check(b.Close())
}

// partial reads a message in pieces of all kinds.
func partial(ln net.Listener) {
	a, b := pair(ln)
	_, err := a.Write([]byte("0123456789abcdef"))
	check(err)
	p := make([]byte, 100)
	for _, size := range []int{1, 2, 3, 100} {
		n, err := b.Read(p[:size])
		say("Read of", size, string(p[:n]), err)
	}
	closeBoth(a, b)
}

func halfClose(ln net.Listener) {
	a, b := pair(ln)
	_, err := a.Write([]byte("last"))
	check(err)
	check(a.CloseWrite())
	got, err := io.ReadAll(b)
	say("until EOF", string(got), err)
	n, err := b.Read(make([]byte, 1))
	say("after EOF", n, explain(err))
	_, err = a.Write([]byte("x"))
	say("Write after CloseWrite", explain(err))
	_, err = b.Write([]byte("answer"))
	check(err)
	p := make([]byte, 10)
	n, err = a.Read(p)
	say("the other way", string(p[:n]), err)
	check(a.CloseRead())
	n, err = a.Read(p)
	say("Read after CloseRead", n, explain(err))
	closeBoth(a, b)
}

// closing closes a connection while calls wait.
func closing(ln net.Listener) {
	a, b := pair(ln)
	results := make(chan string)
	for range 2 {
		go func() {
			_, err := a.Read(make([]byte, 1))
			results <- explain(err)
		}()
	}
	time.Sleep(5 * time.Millisecond) // so that mostly they wait; the outcome is the same
	check(a.Close())
	say("Read during Close", <-results)
	say("Read during Close", <-results)
	n, err := b.Read(make([]byte, 1))
	say("peer", n, explain(err))
	check(b.Close())
}

// raw mixes raw access with reads.
func raw(ln net.Listener) {
	a, b := pair(ln)
	rc, err := b.SyscallConn()
	check(err)
	peek := func(want int) {
		p := make([]byte, 100)
		n := 0
		err := rc.Read(func(fd uintptr) bool {
			var err error
			n, _, err = syscall.Recvfrom(int(fd), p, syscall.MSG_PEEK)
			return err != syscall.EAGAIN && n >= want
		})
		say("peek", string(p[:n]), err)
	}
	go func() {
		time.Sleep(2 * time.Millisecond)
		_, err := a.Write([]byte("raw access"))
		check(err)
	}()
	peek(10)
	p := make([]byte, 4)
	n, err := b.Read(p)
	say("Read", string(p[:n]), err)
	peek(6)
	n, err = io.ReadFull(b, p)
	say("Read", string(p[:n]), err)
	peek(2)
	n, err = b.Read(p)
	say("Read", string(p[:n]), err)
	check(b.SetReadDeadline(time.Now().Add(5 * time.Millisecond)))
	err = rc.Read(func(uintptr) bool { return false })
	say("raw Read until the deadline", explain(err))
	check(b.SetReadDeadline(time.Time{}))
	done := make(chan error)
	go func() { done <- rc.Read(func(uintptr) bool { return false }) }()
	time.Sleep(2 * time.Millisecond)
	closeBoth(a, b)
	say("raw Read during Close", explain(<-done))
	say("Control after Close", explain(rc.Control(func(uintptr) {})))
}

// files turns connections and listeners into files and back.
func files(ln net.Listener, dir string) {
	a, b := pair(ln)
	f, err := b.File()
	check(err)
	_, err = a.Write([]byte("for two"))
	check(err)
	p := make([]byte, 4)
	n, err := b.Read(p)
	say("conn", string(p[:n]), err)
	n, err = f.Read(p)
	say("file", string(p[:n]), err)
	c, err := net.FileConn(f)
	check(err)
	check(f.Close())
	check(b.Close())
	_, err = c.Write([]byte("from the copy"))
	check(err)
	n, err = io.ReadFull(a, make([]byte, 13))
	say("copy", n, err, fmt.Sprintf("%T", c))
	check(a.Close())
	n, err = c.Read(p)
	say("copy", n, explain(err))
	check(c.Close())

	other := listen(ln.Addr().Network(), dir)
	lf, err := other.(interface{ File() (*os.File, error) }).File()
	check(err)
	again, err := net.FileListener(lf)
	check(err)
	check(lf.Close())
	a, b = pair(again)
	closeBoth(a, b)
	check(again.Close())
	check(other.Close())
}

func sum(b []byte) string { return fmt.Sprintf("%d bytes %x", len(b), sha256.Sum256(b)) }

// numbers returns n bytes whose order shows.
func numbers(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprint(&b, i, ",")
	}
	return b.Bytes()[:n]
}

// copies uses sendfile and splice.
func copies(ln net.Listener, dir string) {
	data := numbers(3 << 20)
	name := filepath.Join(dir, "data")
	check(os.WriteFile(name, data, 0o600))
	f, err := os.Open(name)
	check(err)
	a, b := pair(ln)
	c, d := pair(ln)
	var all sync.WaitGroup
	all.Go(func() {
		n, err := io.Copy(a, f)
		say("from a file", n, err)
		check(a.CloseWrite())
	})
	all.Go(func() {
		_, err := io.Copy(c, b)
		check(err)
		check(c.CloseWrite())
	})
	got, err := io.ReadAll(d)
	all.Wait()
	say("through a proxy", sum(got) == sum(data), err)
	check(f.Close())
	closeBoth(a, b)
	closeBoth(c, d)
}

// buffers uses writev.
func buffers(ln net.Listener) {
	a, b := pair(ln)
	var bufs net.Buffers
	var want []byte
	for i := range 3000 {
		piece := numbers(i % 700)
		bufs = append(bufs, piece)
		want = append(want, piece...)
	}
	go func() {
		n, err := bufs.WriteTo(a)
		say("Buffers", n, err, len(bufs))
		check(a.CloseWrite())
	}()
	got, err := io.ReadAll(b)
	say("writev", sum(got) == sum(want), err)
	closeBoth(a, b)
}

// unreachable leaves a connection to the garbage collector.
func unreachable(ln net.Listener) {
	client, server := pair(ln)
	_ = server
	server = nil
	end := make(chan string)
	go func() {
		n, err := client.Read(make([]byte, 1))
		end <- fmt.Sprint(n, " ", explain(err))
	}()
	for {
		runtime.GC()
		select {
		case s := <-end:
			say("peer of an unreachable connection", s)
			check(client.Close())
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// stress echoes on many connections.
func stress(ln net.Listener) {
	var all sync.WaitGroup
	for i := range 50 {
		a, b := pair(ln)
		all.Go(func() {
			_, err := io.Copy(struct{ io.Writer }{b}, struct{ io.Reader }{b})
			check(err)
			check(b.Close())
		})
		all.Go(func() {
			data := numbers(1 + i*97)
			got := make([]byte, len(data))
			for j := range 200 {
				switch j % 3 {
				case 1:
					check(a.SetDeadline(time.Now().Add(time.Minute)))
				case 2:
					check(a.SetDeadline(time.Time{}))
				}
				_, err := a.Write(data)
				check(err)
				_, err = io.ReadFull(a, got)
				check(err)
				if !bytes.Equal(got, data) {
					check(errors.New("other bytes came back"))
				}
			}
			check(a.Close())
		})
	}
	all.Wait()
	say("stress")
}

func reset(ln net.Listener) {
	a, b := pair(ln)
	check(a.(*net.TCPConn).SetLinger(0))
	check(a.Close())
	_, err := b.Read(make([]byte, 1))
	say("Read of a reset connection", explain(err))
	_, err = b.Write([]byte("x"))
	say("Write to a reset connection", explain(err))
	check(b.Close())
	check(ln.Close())
}

// messages passes a descriptor over a stream connection, after a read.
func messages(ln net.Listener) {
	a, b := pair(ln)
	ua, ub := a.(*net.UnixConn), b.(*net.UnixConn)
	_, _, err := ua.WriteMsgUnix([]byte("with rights"), syscall.UnixRights(0), nil)
	check(err)
	p, oob := make([]byte, 20), make([]byte, 100)
	n, oobn, _, _, err := ub.ReadMsgUnix(p, oob)
	say("ReadMsgUnix", string(p[:n]), oobn, err)
	scms, err := syscall.ParseSocketControlMessage(oob[:oobn])
	check(err)
	fds, err := syscall.ParseUnixRights(&scms[0])
	check(err)
	check(syscall.Close(fds[0]))
	go func() {
		time.Sleep(2 * time.Millisecond)
		_, err := ua.Write([]byte("more"))
		check(err)
	}()
	n, _, err = ub.ReadFromUnix(p)
	say("ReadFromUnix", string(p[:n]), err)
	closeBoth(a, b)
	check(ln.Close())
}

// web serves HTTP to clients that keep their connections.
func web(ln net.Listener) {
	big := numbers(1 << 20)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/big":
			_, err := w.Write(big)
			check(err)
		case "/hijack":
			c, _, err := w.(http.Hijacker).Hijack()
			check(err)
			_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%T", c)
			check(err)
			check(c.Close())
		default:
			_, err := io.Copy(w, r.Body)
			check(err)
		}
	})}
	served := make(chan error)
	go func() { served <- server.Serve(ln) }()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			transport := new(http.Transport)
			client := http.Client{Transport: transport}
			for range 50 {
				resp, err := client.Post("http://"+ln.Addr().String(), "text/plain", strings.NewReader("hello"))
				check(err)
				body, err := io.ReadAll(resp.Body)
				check(err)
				check(resp.Body.Close())
				if string(body) != "hello" {
					check(errors.New("another answer came"))
				}
			}
			transport.CloseIdleConnections()
		})
	}
	all.Wait()
	for _, path := range []string{"/big", "/hijack"} {
		resp, err := http.Get("http://" + ln.Addr().String() + path)
		check(err)
		body, err := io.ReadAll(resp.Body)
		check(err)
		check(resp.Body.Close())
		say(path, sum(body))
	}
	http.DefaultClient.CloseIdleConnections()
	check(server.Close())
	say("Serve", <-served)
}

func dialErrors() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	addr := ln.Addr().String()
	check(ln.Close())
	_, err = net.Dial("tcp", addr)
	say("Dial", explain(err))
	_, err = net.DialTimeout("tcp", addr, -time.Second)
	say("Dial", explain(err))
}
