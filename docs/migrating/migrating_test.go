package migrating

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"   // the module http
	_ "github.com/caddyserver/caddy/v2/modules/filestorage" // the module file_system
	"github.com/cloudflare/tableflip"
	"github.com/cloudwego/hertz/pkg/app"
	"github.com/valyala/fasthttp"
	"golang.org/x/net/websocket"

	gorilla "github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/netring-go/netring"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// listen returns a netring listener that is closed at the end of the test.
func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := netring.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = ln.Close() }) // some tests close it
	return ln
}

// pair returns the ends of a connection, both of netring.
func pair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln := listen(t)
	client, err := netring.Dial("tcp", ln.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	server, err = ln.Accept()
	must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return server, client
}

// get checks that a server answers, on a connection of its own.
func get(t *testing.T, url, want string) {
	t.Helper()
	c := newClient()
	defer c.CloseIdleConnections()
	resp, err := c.Get(url)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if string(body) != want || err != nil {
		t.Errorf("%s: %q, %v; want %q", url, body, err, want)
	}
}

// isNetring reports whether v is netring's own, or package net's with NETRING_ENGINE=net.
func isNetring(v any) bool {
	if os.Getenv(netring.EngineEnv) == "net" {
		return true
	}
	switch v.(type) {
	case *netring.Conn, *netring.Listener:
		return true
	}
	return false
}

func TestAssertions(t *testing.T) {
	server, client := pair(t)
	must(t, setOptions(server))
	must(t, descriptor(server, func(fd uintptr) {
		if fd < 3 {
			t.Errorf("descriptor %d", fd)
		}
	}))
	must(t, finish(client))
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after CloseWrite, the peer reads %v", err)
	}
	tc, err := tcpConn(server)
	must(t, err)
	defer tc.Close()
	if _, err := tc.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := client.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("through the detached connection: %d, %v", n, err)
	}
}

func TestListenerAssertions(t *testing.T) {
	ln := listen(t)
	if _, err := acceptFor(ln, time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Accept: %v", err)
	}
	f, err := listenerFile(ln)
	must(t, err)
	defer f.Close()
	own, err := netring.FileListener(f)
	must(t, err)
	defer own.Close()
	if own.Addr().String() != ln.Addr().String() {
		t.Errorf("the address is %v, want %v", own.Addr(), ln.Addr())
	}
}

func TestTypes(t *testing.T) {
	ln, err := netring.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if os.Getenv(netring.EngineEnv) == "net" {
		if err == nil {
			t.Errorf("with package net, ListenTCP returns a %T", ln)
		}
		return
	}
	must(t, err)
	defer ln.Close()
	client, err := netring.DialTCP("tcp", nil, ln.Addr().(*net.TCPAddr))
	must(t, err)
	defer client.Close()
	accepted, err := (&tcpServer{ln}).next()
	must(t, err)
	defer accepted.Close()
	if got, want := accepted.RemoteAddr().String(), client.LocalAddr().String(); got != want {
		t.Errorf("the connection accepted is from %s, want %s", got, want)
	}
}

func TestHTTP(t *testing.T) {
	if err := listenAndServe("nowhere", nil); err == nil {
		t.Error("a wrong address was accepted")
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "net/http") }))
	must(t, srv.Listener.Close())
	srv.Listener = listen(t)
	srv.Start()
	defer srv.Close()
	get(t, srv.URL, "net/http")
}

func TestDialTLS(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	cfg := srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	addr := srv.Listener.Addr().String()
	cfg.ServerName = "example.com"
	c, err := dialTLS(context.Background(), addr, cfg)
	must(t, err)
	if !isNetring(c.NetConn()) {
		t.Errorf("the connection inside is a %T", c.NetConn())
	}
	must(t, c.Close())
	if _, err := dialTLS(context.Background(), addr, new(tls.Config)); err == nil {
		t.Error("a connection without a ServerName was made")
	}
}

func TestDialWebsocket(t *testing.T) {
	srv := httptest.NewServer(websocket.Handler(func(ws *websocket.Conn) { io.Copy(ws, ws) }))
	defer srv.Close()
	cfg, err := websocket.NewConfig("ws"+strings.TrimPrefix(srv.URL, "http")+"/", srv.URL)
	must(t, err)
	ws, err := dialWebsocket(context.Background(), cfg)
	must(t, err)
	defer ws.Close()
	must(t, websocket.Message.Send(ws, "hello"))
	var got string
	if err := websocket.Message.Receive(ws, &got); got != "hello" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// serveRedis answers PING, and each other command with an error.
func serveRedis(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		var words int
		if _, err := fmt.Fscanf(r, "*%d\r\n", &words); err != nil {
			return
		}
		answer := "-ERR unknown command\r\n"
		for range words {
			var n int
			if _, err := fmt.Fscanf(r, "$%d\r\n", &n); err != nil {
				return
			}
			word := make([]byte, n+len("\r\n"))
			if _, err := io.ReadFull(r, word); err != nil {
				return
			}
			if strings.EqualFold(string(word), "ping\r\n") {
				answer = "+PONG\r\n"
			}
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

func TestRedis(t *testing.T) {
	ln := listen(t)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serveRedis(c)
		}
	}()
	before := netring.DefaultStats().Descriptors
	c := newRedis(ln.Addr().String())
	if got, err := c.Ping(context.Background()).Result(); got != "PONG" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if now := netring.DefaultStats().Descriptors; now < before+2 && os.Getenv(netring.EngineEnv) != "net" {
		t.Errorf("%d descriptors, and %d before: both ends should be netring's", now, before)
	}
	must(t, c.Close())
}

func TestDrivers(t *testing.T) {
	var pg pgconn.Config
	var ws gorilla.Dialer
	if useInDrivers(&pg, &ws) == nil || pg.DialFunc == nil || ws.NetDialContext == nil {
		t.Error("a driver has no dialer")
	}
	ln := listen(t)
	c, err := pg.DialFunc(context.Background(), "tcp", ln.Addr().String())
	must(t, err)
	if !isNetring(c) {
		t.Errorf("the driver's connection is a %T", c)
	}
	must(t, c.Close())
}

// serveSOCKS5 accepts one connection through itself, without authentication.
func serveSOCKS5(t *testing.T, ln net.Listener) {
	c, err := ln.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for _, step := range []struct {
		read  int
		write string
	}{{3, "\x05\x00"}, {10, "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"}, {5, "world"}} {
		if _, err := io.ReadFull(c, make([]byte, step.read)); err != nil {
			t.Error(err)
			return
		}
		if _, err := io.WriteString(c, step.write); err != nil {
			t.Error(err)
			return
		}
	}
}

func TestSOCKS5(t *testing.T) {
	ln := listen(t)
	go serveSOCKS5(t, ln)
	p, err := newSOCKS5(ln.Addr().String())
	must(t, err)
	c, err := p.Dial("tcp", "192.0.2.1:80")
	must(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "hello")
	must(t, err)
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); string(got) != "world" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTableflip(t *testing.T) {
	upg, err := tableflip.New(tableflip.Options{})
	must(t, err)
	defer upg.Stop()
	ln, err := listenUpgradable(upg, "127.0.0.1:0")
	must(t, err)
	if !isNetring(ln) {
		t.Errorf("the listener is a %T", ln)
	}
	must(t, upg.Ready())
	go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "tableflip") }))
	get(t, "http://"+ln.Addr().String(), "tableflip")
	must(t, ln.Close())
}

func TestHertz(t *testing.T) {
	h, err := newHertz("127.0.0.1:0")
	must(t, err)
	h.GET("/", func(_ context.Context, c *app.RequestContext) { c.String(200, "hertz") })
	ended := make(chan error, 1)
	go func() { ended <- h.Run() }()
	get(t, "http://"+h.GetOptions().Addr+"/", "hertz")
	must(t, h.Shutdown(context.Background()))
	must(t, <-ended)
}

func TestCaddy(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir()) // where Caddy keeps an identifier
	port := freePort(t)
	before := netring.DefaultStats().Descriptors
	for _, answer := range []string{"caddy", "reloaded"} {
		must(t, caddy.Load([]byte(fmt.Sprintf(`{
			"admin": {"disabled": true, "config": {"persist": false}},
			"storage": {"module": "file_system", "root": %q},
			"apps": {"http": {"servers": {"s": {
				"listen": ["netring/127.0.0.1:%d"],
				"automatic_https": {"disable": true},
				"routes": [{"handle": [{"handler": "static_response", "body": %q}]}]
			}}}}
		}`, t.TempDir(), port, answer)), true))
		get(t, fmt.Sprintf("http://127.0.0.1:%d/", port), answer)
		if now := netring.DefaultStats().Descriptors; now <= before && os.Getenv(netring.EngineEnv) != "net" {
			t.Errorf("%d descriptors, and %d before: netring does not serve", now, before)
		}
	}
	must(t, caddy.Stop())
	if _, err := listenCaddy(context.Background(), "netring", "127.0.0.1", "80-90", 0, net.ListenConfig{}); err == nil {
		t.Error("a range of ports was accepted")
	}
}

// freePort returns a port that nothing uses.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func TestFasthttp(t *testing.T) {
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.WriteString("fasthttp") }}
	if err := serveFast(s, "nowhere"); err == nil {
		t.Error("a wrong address was accepted")
	}
	ln, err := listenReusePort(context.Background(), "127.0.0.1:0")
	must(t, err)
	second, err := listenReusePort(context.Background(), ln.Addr().String())
	must(t, err)
	must(t, second.Close())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	code, body, err := newFastClient().Get(nil, "http://"+ln.Addr().String())
	if code != 200 || string(body) != "fasthttp" || err != nil {
		t.Errorf("%d, %q, %v", code, body, err)
	}
	must(t, s.Shutdown())
	must(t, <-ended)
}

// The function that each child of a prefork server runs serves over netring.
func TestPrefork(t *testing.T) {
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.WriteString("prefork") }}
	std, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	before := netring.DefaultStats().Descriptors
	ended := make(chan error, 1)
	go func() { ended <- newPrefork(s).ServeFunc(std) }()
	get(t, "http://"+std.Addr().String(), "prefork")
	if now := netring.DefaultStats().Descriptors; now <= before && os.Getenv(netring.EngineEnv) != "net" {
		t.Errorf("%d descriptors, and %d before: netring does not serve", now, before)
	}
	must(t, s.Shutdown())
	must(t, <-ended)
}

func TestFrames(t *testing.T) {
	ln := listen(t)
	ended := make(chan error, 1)
	go func() {
		ended <- serveAll(ln, func(frame []byte) []byte { return []byte(strings.ToUpper(string(frame))) })
	}()
	c, err := netring.Dial("tcp", ln.Addr().String())
	must(t, err)
	var sent []byte
	for _, s := range []string{"one", "", "three"} { // in one write
		sent = append(binary.BigEndian.AppendUint32(sent, uint32(len(s))), s...)
	}
	_, err = c.Write(sent)
	must(t, err)
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); string(got) != strings.ToUpper(string(sent)) || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	must(t, c.Close())
	must(t, ln.Close())
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("serveAll: %v", err)
	}
}
