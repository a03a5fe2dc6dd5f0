// Command gnet is an echo server on github.com/panjf2000/gnet, with an event loop for each CPU.
package main

import (
	"fmt"
	"log"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"

	"github.com/netring-go/netring/bench/peers/child"
)

type server struct {
	gnet.BuiltinEventEngine
	port int
}

func (s *server) OnBoot(gnet.Engine) gnet.Action {
	child.Serving(s.port)
	return gnet.None
}

func (s *server) OnTraffic(c gnet.Conn) gnet.Action {
	if p, err := c.Next(-1); err == nil {
		if _, err = c.Write(p); err == nil {
			return gnet.None
		}
	}
	return gnet.Close
}

func main() {
	child.Kind("echo")
	s := &server{port: child.FreePort()}
	log.Fatal(gnet.Run(s, fmt.Sprintf("tcp://127.0.0.1:%d", s.port),
		gnet.WithMulticore(true), gnet.WithTCPNoDelay(gnet.TCPNoDelay), gnet.WithLogLevel(logging.ErrorLevel)))
}
