package netring_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/netring-go/netring"
)

func ExampleListen() {
	ln, err := netring.Listen("tcp", "127.0.0.1:0") // was: net.Listen
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "served over netring")
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	resp, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Println(string(body), err)

	http.DefaultClient.CloseIdleConnections()
	fmt.Println(srv.Shutdown(context.Background()), <-served)
	// Output:
	// served over netring <nil>
	// <nil> http: Server closed
}

func ExampleListenConfig() {
	p, err := netring.NewPoller(netring.Config{Engine: netring.EngineSyscall, Reactors: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	lc := netring.ListenConfig{Poller: p, KeepAlive: time.Minute}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ln.Addr().Network())
	// Output: tcp
}

func ExampleNewPoller() {
	_, err := netring.NewPoller(netring.Config{Reactors: -1})
	fmt.Println(err)
	// Output: netring: Config.Reactors is -1; use 0 for one per P, or 1 to 1024
}

func ExampleDial() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "hello")
	}()
	c, err := netring.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	fmt.Println(string(b), err)
	// Output: hello <nil>
}

func ExampleDialer() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go srv.Serve(ln)
	defer srv.Close()

	d := netring.Dialer{Timeout: 5 * time.Second}
	client := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
	resp, err := client.Get("http://" + ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	client.CloseIdleConnections()
	fmt.Println(resp.Status)
	// Output: 404 Not Found
}

// connect returns the two ends of a connection: netring's and package net's.
func connect() (*netring.Conn, net.Conn) {
	ln, err := netring.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	server, err := ln.(*netring.Listener).AcceptConn()
	if err != nil {
		log.Fatal(err)
	}
	return server, client
}

func ExampleConn_Writev() {
	server, client := connect()
	n, err := server.Writev([][]byte{[]byte("header "), []byte("and "), []byte("body")})
	fmt.Println(n, err)
	server.Close()
	b, err := io.ReadAll(client)
	fmt.Printf("%s %v\n", b, err)
	client.Close()
	// Output:
	// 15 <nil>
	// header and body <nil>
}

func ExampleConn_ReadLease() {
	server, client := connect()
	defer server.Close()
	io.WriteString(client, "hello")
	client.Close()
	for {
		lease, err := server.ReadLease() // on Linux, it waits without a buffer
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", lease.Bytes())
		lease.Release()
	}
	// Output:
	// hello
	// EOF
}

func ExampleConn_Detach() {
	server, client := connect()
	defer client.Close()
	tc, err := server.Detach() // for code that insists on a *net.TCPConn
	if err != nil {
		log.Fatal(err)
	}
	defer tc.Close()
	fmt.Printf("%T\n", tc)
	// Output: *net.TCPConn
}

func ExamplePoller_Stats() {
	p, err := netring.NewPoller(netring.Config{Engine: netring.EngineSyscall})
	if err != nil {
		log.Fatal(err)
	}
	lc := netring.ListenConfig{Poller: p}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Stats().Descriptors)
	ln.Close()
	fmt.Println(p.Stats().Descriptors)
	fmt.Println(p.Close())
	// Output:
	// 1
	// 0
	// <nil>
}

func ExampleListener_AcceptConn() {
	ln, err := netring.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	client, err := netring.DialTimeout("tcp", ln.Addr().String(), time.Second)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	c, err := ln.(*netring.Listener).AcceptConn() // a *netring.Conn, without an assertion
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.SetNoDelay(false))
	// Output: <nil>
}

func ExampleConn_ReadFrom() {
	server, client := connect()
	f, err := os.Open("LICENSE")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	n, err := server.ReadFrom(io.LimitReader(f, 11)) // by sendfile; io.Copy does the same
	fmt.Println(n, err)
	server.Close()
	b, err := io.ReadAll(client)
	fmt.Printf("%s %v\n", b, err)
	client.Close()
	// Output:
	// 11 <nil>
	// MIT License <nil>
}

func ExampleConn_Flush() {
	server, client := connect()
	defer server.Close()
	defer client.Close()
	if err := server.SetCoalescing(64 << 10); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		fmt.Fprint(server, "tick ") // is copied, and leaves with the reactor's next batch
	}
	fmt.Println(server.Flush()) // the kernel has it all
	got := make([]byte, 15)
	io.ReadFull(client, got)
	fmt.Printf("%s\n", got)
	// Output:
	// <nil>
	// tick tick tick
}
