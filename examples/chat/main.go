// Chat sends each line that a client writes to all clients, in the same order to each. It
// drops a client that reads too slowly, so that nobody waits for that client.
//
// Each connection has a write buffer. A Write copies its line and returns, and what was
// written since the last batch leaves in one operation. So a broadcast to many clients
// costs few system calls.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/examples/internal/listen"
)

const (
	// maxLine is the most bytes that a client may write in a line.
	maxLine = 4 << 10
	// outboxSize is how many bytes may wait for a client in the program, and about as many
	// in the kernel. It is larger than any line with its sender's name.
	outboxSize = 64 << 10
)

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:7008")
	flag.Parse()
	if err := run(flags); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags) error {
	flags.Coalesce = outboxSize // netring.ListenConfig{Coalesce: outboxSize} in your program
	ln, err := flags.Listen()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	h := newHub(flags.Stats().Engine != netring.EngineNet)
	return flags.Run(listen.NewConns(h.serve), fmt.Sprintf("nc %s %s # in two terminals", host, port), ln)
}

// serve makes c a member until c ends or is dropped.
func (h *hub) serve(_ context.Context, c net.Conn) {
	m, err := h.join(c)
	if err != nil {
		log.Printf("%s: %v", c.RemoteAddr(), err)
		return
	}
	defer h.leave(m)
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, 0, 512), maxLine)
	for lines.Scan() {
		h.broadcast(fmt.Appendf(nil, "%s: %s\n", m.name, lines.Bytes()))
	}
	if err := lines.Err(); err != nil {
		log.Printf("%s, %s: %v", m.name, c.RemoteAddr(), err)
	}
}
