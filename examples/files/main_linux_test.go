package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// size is the size of the file that the tests fetch: more than sockets buffer.
const size = 24<<20 + 77

// makeFile returns a directory with the file "data", and the file's content.
func makeFile(t *testing.T) (dir string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i+8 <= size; i += 8 {
		v := r.Uint64()
		for j := range 8 {
			content[i+j] = byte(v >> (8 * j))
		}
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, content
}

// fetch requests the file, with a Range header unless ranges is "".
func fetch(t *testing.T, c *http.Client, url, ranges string) (resp *http.Response, body []byte) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ranges != "" {
		req.Header.Set("Range", ranges)
	}
	resp, err = c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", url, ranges, err)
	}
	return resp, body
}

func newClient(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func TestExample(t *testing.T) {
	dir, content := makeFile(t)
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		checkRanges(t, "http://"+e.Addr+"/data", content)
	}, "-dir", dir)
	exampletest.Refuses(t, exampletest.Command(t, "-addr", "127.0.0.1:0", "-dir", dir+"/data"), "no directory")
}

func checkRanges(t *testing.T, url string, content []byte) {
	c := newClient(t)
	for _, tc := range []struct {
		ranges   string
		from, to int
		status   int
	}{
		{"", 0, size, http.StatusOK},
		{"bytes=0-0", 0, 1, http.StatusPartialContent},
		{"bytes=1000000-8388607", 1000000, 8388608, http.StatusPartialContent},
		{fmt.Sprintf("bytes=%d-", size-10), size - 10, size, http.StatusPartialContent},
		{"bytes=-5000001", size - 5000001, size, http.StatusPartialContent},
	} {
		resp, body := fetch(t, c, url, tc.ranges)
		if resp.StatusCode != tc.status || !bytes.Equal(body, content[tc.from:tc.to]) {
			t.Errorf("%q: %s with %d bytes, want %d with the bytes %d to %d",
				tc.ranges, resp.Status, len(body), tc.status, tc.from, tc.to)
		}
	}
	resp, _ := fetch(t, c, url, fmt.Sprintf("bytes=%d-", size))
	if resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a range behind the end: %s", resp.Status)
	}
	checkMultipart(t, c, url, content)
}

// checkMultipart requests three ranges at once, which the server answers with one part
// for each.
func checkMultipart(t *testing.T, c *http.Client, url string, content []byte) {
	resp, body := fetch(t, c, url, "bytes=5-9,4000000-6999999,-3")
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		t.Fatalf("three ranges: %s of type %q, %v", resp.Status, kind, err)
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for _, want := range [][2]int{{5, 10}, {4000000, 7000000}, {size - 3, size}} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(part)
		if err != nil || !bytes.Equal(got, content[want[0]:want[1]]) {
			t.Errorf("the part for %v has %d bytes, %v", want, len(got), err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after three parts: %v, want EOF", err)
	}
}

// The content does not pass through the program: netring makes no writes for it.
func TestSendfile(t *testing.T) {
	p, err := netring.NewPoller(netring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	if p.Stats().Engine == netring.EngineNet {
		t.Skipf("%s=net: package net does not count", netring.EngineEnv)
	}
	lc := netring.ListenConfig{Poller: p}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir, content := makeFile(t)
	srv := &http.Server{Handler: handler(dir)}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	before := operations(p)
	_, body := fetch(t, newClient(t), "http://"+ln.Addr().String()+"/data", "")
	// Reads and the response's head make some. Copying through memory would make one for
	// each 32 KiB.
	if n, most := operations(p)-before, uint64(size/(32<<10)/4); n > most || !bytes.Equal(body, content) {
		t.Errorf("%d operations for a file of %d bytes, want at most %d", n, size, most)
	}
	if err := srv.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func operations(p *netring.Poller) uint64 {
	s := p.Stats()
	return s.Ops + s.Direct + s.Inline + s.Single
}
