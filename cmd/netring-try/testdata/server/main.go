// Command server is an ordinary program: it knows nothing of netring.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	addr := flag.String("addr", "", "serve HTTP on this TCP `address`")
	unix := flag.String("unix", "", "serve HTTP on this unix `socket`")
	dial := flag.String("dial", "", "dial this TCP `address` and send the standard input")
	exit := flag.Int("exit", -1, "end at once with this `status`")
	flag.Parse()
	switch {
	case *exit >= 0:
		fmt.Println("stdin:", firstLine(os.Stdin))
		os.Exit(*exit)
	case *dial != "":
		if err := send(*dial); err != nil {
			log.Fatal(err)
		}
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	for network, address := range map[string]string{"tcp": *addr, "unix": *unix} {
		if address == "" {
			continue
		}
		l, err := net.Listen(network, address)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("listening %s %v %T\n", network, l.Addr(), l)
		go func() { log.Fatal(http.Serve(l, http.HandlerFunc(greet))) }()
	}
	fmt.Println("ready")
	s := <-signals
	fmt.Println("signal:", s)
	os.Exit(3)
}

func greet(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, greeting)
}

func firstLine(r io.Reader) string {
	s := bufio.NewScanner(r)
	s.Scan()
	return s.Text()
}

func send(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Printf("dialled %T\n", c)
	_, err = io.Copy(c, os.Stdin)
	return err
}
