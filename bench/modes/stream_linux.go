package main

import (
	"context"
	"fmt"
	"net"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/bench/internal/load"
)

// serveStreams is package net, or netring, with a goroutine per connection.
func serveStreams(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go load.AnswerReads(c, recvSize)
	}
}

// streamListener listens with package net, or netring with one of its engines.
func streamListener(mode string) (net.Listener, error) {
	const addr = "127.0.0.1:0"
	if mode == modeNet {
		return net.Listen("tcp", addr)
	}
	cfg, ok := map[string]netring.Config{
		modeNetringURing:   {Engine: netring.EngineURing},
		modeNetringOne:     {Engine: netring.EngineURing, Reactors: 1},
		modeNetringSyscall: {Engine: netring.EngineSyscall},
	}[mode]
	if !ok {
		return nil, fmt.Errorf("unknown mode %q", mode)
	}
	p, err := netring.NewPoller(cfg)
	if err != nil {
		return nil, refused("netring", err)
	}
	lc := netring.ListenConfig{Poller: p}
	return lc.Listen(context.Background(), "tcp", addr)
}
