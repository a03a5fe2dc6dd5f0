package main

import (
	"io"
	"net"
	"testing"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestExample(t *testing.T) {
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		c, err := net.Dial("tcp", e.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "hello, echo"); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); string(got) != "hello, echo" || err != nil {
			t.Errorf("it answers %q, %v", got, err)
		}
	})
}
