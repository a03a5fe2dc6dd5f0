package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// client returns a client that accepts only the certificate whose fingerprint the
// example has printed. The caller must call CloseIdleConnections.
func client(t *testing.T, e *exampletest.Example, http2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{
		ForceAttemptHTTP2: http2,
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, // VerifyConnection checks the fingerprint instead
			VerifyConnection: func(s tls.ConnectionState) error {
				if pin := fingerprint(s.PeerCertificates[0]); !strings.Contains(e.Try, pin) {
					return fmt.Errorf("the server has the fingerprint %s, and prints %s", pin, e.Try)
				}
				return s.PeerCertificates[0].VerifyHostname("127.0.0.1")
			},
		},
	}
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func get(t *testing.T, c *http.Client, url string) (body string) {
	t.Helper()
	defer c.CloseIdleConnections()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %q, %v", url, resp.Status, text, err)
	}
	return string(text)
}

func TestExample(t *testing.T) {
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		url := "https://" + e.Addr + "/"
		for http2, want := range map[bool]string{
			true:  "Hello over HTTP/2.0 and TLS 1.3!\n",
			false: "Hello over HTTP/1.1 and TLS 1.3!\n",
		} {
			if got := get(t, client(t, e, http2), url); got != want {
				t.Errorf("it serves %q, want %q", got, want)
			}
		}
	})
}

// TLS 1.2 is refused.
func TestOldTLS(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	c, err := tls.Dial("tcp", e.Addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil {
		c.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "protocol version not supported") {
		t.Errorf("with TLS 1.2: %v, want that the server refuses the version", err)
	}
	e.Stop(t, syscall.SIGTERM)
}

// A request whose body is broken gets no answer that looks complete.
func TestBrokenBody(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	c, err := tls.Dial("tcp", e.Addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	const broken = "POST /echo HTTP/1.1\r\nHost: example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nno number\r\n"
	if _, err := io.WriteString(c, broken); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "hello" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the answer is %q, %v, want that it breaks off", body, err)
	}
	e.Stop(t, syscall.SIGTERM)
}

// A request that is under way at SIGTERM goes on, while new connections are refused. The
// example ends when the request has ended.
func TestGracefulShutdown(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
			body, send := io.Pipe()
			tooLong := func() { send.CloseWithError(errors.New("the test takes too long")) }
			defer time.AfterFunc(20*time.Second, tooLong).Stop() // Client.Timeout waits for the body
			go io.WriteString(send, "before ")                   // Do returns when this has come back
			c := client(t, e, http2)
			defer c.CloseIdleConnections()
			resp, err := c.Post("https://"+e.Addr+"/echo", "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got := make([]byte, len("before "))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != "before " {
				t.Fatalf("the first half came back as %q, %v", got, err)
			}

			e.Signal(t, syscall.SIGTERM)
			e.WaitUntilRefused(t)

			go func() {
				io.WriteString(send, "and after")
				send.Close()
			}()
			if rest, err := io.ReadAll(resp.Body); string(rest) != "and after" || err != nil {
				t.Errorf("the second half came back as %q, %v", rest, err)
			}
			e.Wait(t)
		})
	}
}
