package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// runChild is the main function of a child process: "load", or a server, which is
// the String of its variant.
func runChild(what string) error {
	if what == "load" {
		return load.Serve(json.NewDecoder(os.Stdin), os.Stdout, func(job load.Job) (load.Result, error) {
			res, err := job.Run()
			if err != nil {
				res.Err = err.Error()
			}
			return res, nil
		})
	}
	for _, v := range variants() {
		if v.String() == what {
			return runServer(v)
		}
	}
	return errors.New("unknown child")
}

// refusedMark begins the line that a server prints instead of its port if the
// kernel does not let it run.
const refusedMark = "refused: "

// runServer is a server's process. It prints its port, once it has answered a
// request, and serves until its standard input ends.
func runServer(v variant) error {
	port, serve, err := prepare(v)
	if err != nil {
		return sayRefused(err)
	}
	failed := make(chan error, 1)
	go func() {
		if v.thread == threadLocked {
			runtime.LockOSThread() // to the end: the goroutine has no other use
		}
		failed <- serve()
	}()
	probed := make(chan error, 1)
	go func() { probed <- probe(port) }()
	select {
	case err = <-probed:
	case err = <-failed:
	}
	if err != nil {
		select { // why the probe failed is what the server says
		case err = <-failed:
		case <-time.After(100 * time.Millisecond):
		}
		return sayRefused(err)
	}
	if _, err := fmt.Println(port); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	select {
	case err = <-failed:
		return err
	case err = <-ended:
		return err
	}
}

// sayRefused prints a refusal, and returns any other error.
func sayRefused(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	_, err = fmt.Println(refusedMark + r.Error())
	return err
}

// prepare opens the server's port. serve runs it until something is wrong.
func prepare(v variant) (port int, serve func() error, err error) {
	if v.ring == nil && v.mode != modeEpoll && v.mode != modeReadiness {
		ln, err := streamListener(v.mode)
		if err != nil {
			return 0, nil, err
		}
		return ln.Addr().(*net.TCPAddr).Port, func() error { return serveStreams(ln) }, nil
	}
	listener, port, err := listen()
	if err != nil {
		return 0, nil, err
	}
	return port, func() error {
		switch {
		case v.mode == modeEpoll:
			return epollLoop(listener)
		case v.mode == modeReadiness:
			return readiness(listener)
		case v.shape == shapeLoop:
			s, err := newServer(v.ring, listener)
			if err != nil {
				return err
			}
			return s.loop()
		}
		r, err := newReactor(v.ring, listener)
		if err != nil {
			return err
		}
		return r.run()
	}, nil
}

// listen returns a listening socket on a free port of the loopback device.
func listen() (fd, port int, err error) {
	if fd, port, err = load.Listen(maxConns); err != nil {
		return 0, 0, err
	}
	// Accepted sockets inherit it.
	return fd, port, os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// probeTime is how long a server's first answers may take.
const probeTime = 5 * time.Second

// probe sends two requests and checks the answers.
func probe(port int) (err error) {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), probeTime)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetDeadline(time.Now().Add(probeTime)); err != nil {
		return err
	}
	buf := make([]byte, len(load.Answer))
	for range 2 {
		if _, err := io.WriteString(c, load.Request); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
		if string(buf) != load.Answer {
			return fmt.Errorf("a wrong answer: %q", buf)
		}
	}
	return nil
}
