package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

// fasthttp keeps a clock in the background for ever, and a cleaner of its workers for some
// seconds.
func TestMain(m *testing.M) {
	exampletest.Main(m, main,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

func TestExample(t *testing.T) {
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		tr := &http.Transport{MaxIdleConnsPerHost: 16}
		defer tr.CloseIdleConnections()
		c := &http.Client{Transport: tr, Timeout: 30 * time.Second}
		url := "http://" + e.Addr + "/"
		if got := do(t, c, url, nil); string(got) != "Hello, World!\n" {
			t.Errorf("it serves %q", got)
		}
		var wg sync.WaitGroup
		for worker := range 16 {
			wg.Go(func() {
				for i := range 50 {
					body := bytes.Repeat(fmt.Appendf(nil, "%d/%d ", worker, i), 1+i*40)
					if got := do(t, c, url, body); !bytes.Equal(got, body) {
						t.Errorf("of %d bytes, %d or others came back", len(body), len(got))
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// Requests that a client sends without waiting for the answers are answered in order.
func TestPipelining(t *testing.T) {
	exampletest.Each(t, func(t *testing.T, args []string) {
		e := exampletest.Start(t, exampletest.Command(t, args...))
		var wg sync.WaitGroup
		for client := range 8 {
			wg.Go(func() { pipeline(t, e.Addr, client) })
		}
		wg.Wait()
		e.Stop(t, syscall.SIGTERM)
	})
}

// A client whose connection is idle does not keep the example from ending.
func TestIdleClient(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: 30 * time.Second}
	do(t, c, "http://"+e.Addr+"/", nil)
	if stderr := e.Stop(t, syscall.SIGTERM); stderr != "" {
		t.Errorf("the example complains: %s", stderr)
	}
}

// A request that is under way at SIGTERM is answered, and the answer says that the
// connection ends.
func TestRequestUnderWay(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	c, err := net.Dial("tcp", e.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	const head = "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	if _, err := io.WriteString(c, head); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("the first answer is %+v, %v", resp, err)
	}
	e.Signal(t, syscall.SIGTERM)
	e.WaitUntilRefused(t)
	if _, err := io.WriteString(c, "body"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "body" || err != nil || !resp.Close {
		t.Errorf("the answer is %q, %v; it says that the connection ends: %v", got, err, resp.Close)
	}
	e.Wait(t)
}

// pipeline sends requests, 16 at a time, and reads the answers.
func pipeline(t *testing.T, addr string, client int) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	body := func(i int) string { return fmt.Sprintf("%d/%d", client, i) }
	for round := range 50 {
		var requests bytes.Buffer
		for i := round * 16; i < (round+1)*16; i++ {
			fmt.Fprintf(&requests, "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: %d\r\n\r\n%s", len(body(i)), body(i))
		}
		if _, err := c.Write(requests.Bytes()); err != nil {
			t.Error(err)
			return
		}
		for i := round * 16; i < (round+1)*16; i++ {
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := io.ReadAll(resp.Body); string(got) != body(i) || err != nil {
				t.Errorf("%q came back as %q, %v", body(i), got, err)
				return
			}
		}
	}
}

// do sends a request and returns the answer's body.
func do(t *testing.T, c *http.Client, url string, body []byte) []byte {
	t.Helper()
	resp, err := c.Post(url, "text/plain", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s, %v", resp.Status, err)
	}
	return got
}
