package main

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/rounds"
)

// listeners measures accepting: a connection per request, on one listener and on
// several that share the port with SO_REUSEPORT, on one Poller and on one each.
func (m *measurement) listeners() (err error) {
	cfgs := []serverConfig{
		{Impl: "net"},
		{Impl: "net", Listeners: 2},
		{Impl: "uring"},
		{Impl: "uring", Listeners: 2},
		{Impl: "uring", Listeners: 4},
		{Impl: "uring", Pollers: 2, Reactors: 1},
	}
	ps, end, err := startAll(cfgs...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var cs []*contest
	for _, p := range ps {
		cs = append(cs, &contest{child: p, job: job{conns: 64, fresh: true}})
	}
	if err := m.takeTurns(cs); err != nil {
		return err
	}
	one := cs[2]
	m.printf("## A connection per request\n\n| server | pollers | listeners | connections/s | ÷ netring with one | CPU µs/connection | ÷ netring with one | busiest listener ÷ mean |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range cs {
		cfg := c.child.cfg
		m.printf("| %s | %d | %d | %.0f | %.2f | %.1f | %.2f | %.2f |\n", cfg.Impl, max(cfg.Pollers, 1), cfg.sockets(),
			c.median(load.Result.Rate), c.ratio(one, load.Result.Rate), c.median(load.Result.CPUMicros), c.ratio(one, load.Result.CPUMicros), c.imbalance())
	}
	accept, register, err := acceptCalls(500)
	if err != nil {
		return err
	}
	m.printf("\n| what the acceptor does for each connection | ns |\n|---|---|\n| accept4 | %.0f |\n| epoll_ctl | %.0f |\n\n", accept, register)
	return nil
}

// acceptCalls measures the system calls that all connections of a Poller go
// through one after the other, in ns.
func acceptCalls(n int) (accept, register float64, err error) {
	ln, port, err := load.Listen(n)
	if err != nil {
		return 0, 0, err
	}
	fds := []int{ln}
	defer func() {
		for _, fd := range fds {
			err = errors.Join(err, unix.Close(fd))
		}
	}()
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return 0, 0, os.NewSyscallError("epoll_create1", err)
	}
	fds = append(fds, epfd)
	for range n {
		fd, err := load.Dial(port)
		if err != nil {
			return 0, 0, err
		}
		fds = append(fds, fd)
	}
	var accepts, registers []float64
	for range n {
		t0 := time.Now()
		fd, _, err := unix.Accept4(ln, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err != nil {
			return 0, 0, os.NewSyscallError("accept4", err)
		}
		fds = append(fds, fd)
		t1 := time.Now()
		ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLET, Fd: int32(fd)}
		if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return 0, 0, os.NewSyscallError("epoll_ctl", err)
		}
		accepts = append(accepts, float64(t1.Sub(t0).Nanoseconds()))
		registers = append(registers, float64(time.Since(t1).Nanoseconds()))
	}
	return rounds.Median(accepts), rounds.Median(registers), nil
}

// imbalance is how many times its fair share the busiest listener accepted.
func (c *contest) imbalance() float64 {
	counts := slices.Clone(c.last.Accepted)
	for i := range counts {
		counts[i] -= c.first.Accepted[i]
	}
	return float64(slices.Max(counts)) * float64(len(counts)) / float64(total(counts))
}
