// Https serves HTTP/2 and HTTP/1.1 over TLS 1.3 over netring. SIGTERM ends it
// gracefully: it refuses new connections and finishes the requests under way.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/netring-go/netring/examples/internal/listen"
)

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:8443")
	flag.Parse()
	if err := run(flags); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags) error {
	cert, pin, err := selfSigned()
	if err != nil {
		return err
	}
	ln, err := flags.Listen() // netring.Listen("tcp", addr) in your program
	if err != nil {
		return err
	}
	srv := tlsServer{&http.Server{
		Handler:           handler(),
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}},
	}}
	// With -k, curl accepts any certificate, but the pin still admits only this one.
	return flags.Run(srv, fmt.Sprintf("curl -fsSk --pinnedpubkey '%s' https://%s/", pin, ln.Addr()), ln)
}

// tlsServer is an http.Server that serves TLS.
type tlsServer struct{ *http.Server }

// Serve serves TLS on ln with the certificate of the server's TLSConfig. It also offers
// HTTP/2. Calling http.Server.Serve with a TLS listener would not.
func (s tlsServer) Serve(ln net.Listener) error { return s.ServeTLS(ln, "", "") }

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello over %s and %s!\n", r.Proto, tls.VersionName(r.TLS.Version))
	})
	mux.HandleFunc("POST /echo", echo)
	return mux
}

// echo returns the body of a request while the client still sends it.
func echo(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	if r.ProtoMajor == 1 {
		if err := rc.EnableFullDuplex(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return // the client is gone
			}
			if err := rc.Flush(); err != nil {
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // else a part of the body would look like all of it
		}
	}
}
