package main

import (
	"fmt"
	"net"
	"os"

	"github.com/netring-go/netring"
)

// echoLease is echo without a buffer of its own.
func echoLease(nc net.Conn) {
	c, ok := nc.(*netring.Conn)
	if !ok {
		fmt.Fprintf(os.Stderr, "bench: server: a %T has no ReadLease\n", nc)
		os.Exit(1)
	}
	for {
		lease, err := c.ReadLease()
		if err != nil {
			return // as in echo
		}
		_, err = c.Write(lease.Bytes())
		lease.Release()
		if err != nil {
			return
		}
	}
}
