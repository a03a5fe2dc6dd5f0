package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// helloBody is the body of every answer.
const helloBody = "Hello, World!\n"

// maxIdle is more than any workload has connections to a backend at a time.
const maxIdle = 1024

func hello(w http.ResponseWriter, _ *http.Request) {
	// The load generator hangs up in mid-answer at the end of a turn.
	_, _ = io.WriteString(w, helloBody)
}

func serveHTTP(ln net.Listener) error { return http.Serve(ln, http.HandlerFunc(hello)) }

// serveWork is serveHTTP with something to compute for each request: the hash of size
// bytes, about 0.1 ms for 128 KiB.
func serveWork(ln net.Listener, size int) error {
	data := make([]byte, size)
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sum := sha256.Sum256(data); sum == [sha256.Size]byte{} {
			http.Error(w, "not to be expected", http.StatusInternalServerError)
			return
		}
		hello(w, r)
	}))
}

// serveTLS is serveHTTP over TLS 1.3.
func serveTLS(ln net.Listener) error {
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	return serveHTTP(tls.NewListener(ln, cfg))
}

// selfSigned makes a certificate for 127.0.0.1 that lasts for a day.
func selfSigned() (cert tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "bench"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return cert, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// serveReverse is a reverse proxy in front of an HTTP server, both on s and in
// this process, so that its CPU time is that of both hops.
func serveReverse(s stack, ln net.Listener) error {
	backend, err := s.listen()
	if err != nil {
		return err
	}
	go func() {
		err := serveHTTP(backend)
		fmt.Fprintln(os.Stderr, "bench: server: backend:", err)
		os.Exit(1)
	}()
	target, err := url.Parse("http://" + backend.Addr().String())
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{DialContext: s.dial, MaxIdleConnsPerHost: maxIdle, DisableCompression: true},
		// At the end of a turn clients hang up in mid-request, which it would log.
		// A failure that matters is an answer 502, which the load generator reports.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return http.Serve(ln, proxy)
}
