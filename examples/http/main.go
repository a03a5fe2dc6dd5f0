// Http serves net/http over netring. The program is the same with net.Listen; only the
// listener differs.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/netring-go/netring/examples/internal/listen"
)

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:8080")
	flag.Parse()
	if err := run(flags); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags) error {
	ln, err := flags.Listen() // netring.Listen("tcp", addr) in your program
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("Hello, World!\n"))
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return flags.Run(srv, fmt.Sprintf("curl -fsS http://%s/", ln.Addr()), ln)
}
