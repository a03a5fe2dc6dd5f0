package main

import (
	"slices"
	"strings"
	"time"
)

// suite is the tests of a project.
type suite struct {
	name     string   // for the command line and the page
	module   string   // path@version; "" for the standard library
	packages []string // import paths, or patterns relative to the module's root
	flags    []string // more flags of go test
	groups   []string // top-level tests that only hold others, whose subtests count
	left     []left   // tests that run in no column
	deepOnly bool     // the program cannot use netring's types at all; the page says why
	timeout  time.Duration
	alone    time.Duration // timeout of a test alone, aloneTime if 0
}

// left is a test that is left out in all columns.
type left struct{ test, why string }

// column is a way to run a suite.
type column struct {
	name   string   // in results.json and for -columns
	mode   []string // flags of netring-try; nil for the plain go command
	engine string   // NETRING_ENGINE
	title  string   // on the page
}

const columnNet = "net"

// columns are the ways to run each suite.
var columns = []column{
	{name: columnNet, title: "net"},
	{name: "ring", mode: []string{"-dial"}, engine: "uring", title: "ring"},
	{name: "syscall", mode: []string{"-dial"}, engine: "syscall", title: "syscall"},
	{name: "deep-ring", mode: []string{"-deep"}, engine: "uring", title: "`-deep` ring"},
	{name: "deep-syscall", mode: []string{"-deep"}, engine: "syscall", title: "`-deep` syscall"},
}

// takes returns those of the columns that the suite runs in.
func (s suite) takes(cs []column) []column {
	return slices.DeleteFunc(slices.Clone(cs), func(c column) bool { return s.deepOnly && slices.Contains(dial, c.name) })
}

// Sets of columns for the table of known differences.
var (
	dial = []string{"ring", "syscall"}
	deep = []string{"deep-ring", "deep-syscall"}
)

// suites are in the order of the page.
var suites = []suite{
	{name: "net/http", packages: []string{"net/http"}, timeout: 5 * time.Minute, alone: 8 * time.Second},
	{name: "net/http/httptest", packages: []string{"net/http/httptest"}, timeout: time.Minute},
	{name: "net/http/httputil", packages: []string{"net/http/httputil"}, timeout: 2 * time.Minute},
	{name: "net/rpc", packages: []string{"net/rpc"}, timeout: 2 * time.Minute},
	{name: "net/smtp", packages: []string{"net/smtp"}, timeout: time.Minute},
	{name: "crypto/tls", packages: []string{"crypto/tls"}, timeout: 5 * time.Minute},
	{name: "x/net", module: "golang.org/x/net@v0.62.0", packages: []string{"./http2", "./websocket"}, timeout: 5 * time.Minute},
	{name: "grpc", module: "google.golang.org/grpc@v1.85.0", packages: []string{"./test", "./internal/transport"},
		groups: []string{"Test"}, timeout: 8 * time.Minute},
	{name: "fasthttp", module: "github.com/valyala/fasthttp@v1.78.0", packages: []string{"./..."}, timeout: 5 * time.Minute},
	{name: "nats", module: "github.com/nats-io/nats-server/v2@v2.15.2", packages: []string{"./server"},
		flags: []string{"-run", "^TestClient"}, timeout: 5 * time.Minute},
	{name: "coder/websocket", module: "github.com/coder/websocket@v1.8.15", packages: []string{"./..."}, timeout: 3 * time.Minute},
	{name: "gorilla/websocket", module: "github.com/gorilla/websocket@v1.5.3", packages: []string{"."}, timeout: 2 * time.Minute},
	{name: "cmux", module: "github.com/soheilhy/cmux@v0.1.5", packages: []string{"."}, timeout: time.Minute},
	{name: "tableflip", module: "github.com/cloudflare/tableflip@v1.2.3", packages: []string{"."}, timeout: 2 * time.Minute},
	{name: "go-proxyproto", module: "github.com/pires/go-proxyproto@v0.15.0", packages: []string{"./..."}, timeout: 2 * time.Minute},
	{name: "redcon", module: "github.com/tidwall/redcon@v1.6.4", packages: []string{"."}, timeout: time.Minute},
	{name: "yamux", module: "github.com/hashicorp/yamux@v0.1.2", packages: []string{"."}, timeout: 3 * time.Minute},
	{name: "gin", module: "github.com/gin-gonic/gin@v1.12.0", packages: []string{"."}, timeout: 2 * time.Minute},
	{name: "echo", module: "github.com/labstack/echo/v4@v4.16.0", packages: []string{"./..."}, timeout: 2 * time.Minute},
	{name: "fiber", module: "github.com/gofiber/fiber/v2@v2.52.15", packages: []string{"."}, timeout: 3 * time.Minute},
	{name: "hertz", module: "github.com/cloudwego/hertz@v0.10.4", timeout: 5 * time.Minute, deepOnly: true,
		packages: []string{"./pkg/network/...", "./pkg/app/server/...", "./pkg/app/client/...", "./pkg/protocol/..."}},
}

// known is a failure that netring has and package net has not, with its reason.
type known struct {
	suite, test string
	columns     []string
	why         string // a sentence
	// ends says that the test ends the process, so that no test after it runs. It runs apart
	// from the others, which saves running them again.
	ends bool
}

// apart returns the tests of a suite that run apart from the others in a column, as -run names
// them: without the package.
func apart(table []known, suite, column string) []string {
	var tests []string
	for _, k := range table {
		if k.ends && k.suite == suite && slices.Contains(k.columns, column) {
			tests = append(tests, k.test[strings.LastIndex(k.test, ".")+1:])
		}
	}
	return tests
}

// Reasons that several tests share.
const (
	assertsConn     = "asserts `*net.TCPConn` of a dialled connection, to call `CloseWrite`."
	assertsListener = "asserts `*net.TCPListener`."
	echoStart       = "`Echo.Start` asserts `*net.TCPListener`; give `Echo.Listener` a listener of netring."
)

var knownDifferences = []known{
	{suite: "net/http", test: "TestLinuxSendfile", columns: dial, why: assertsListener, ends: true},
	{suite: "net/http", test: "TestClientWriteShutdown", columns: dial, why: assertsConn, ends: true},
	{suite: "net/http", test: "TestServerHijackGetsBackgroundByte", columns: dial, why: assertsConn, ends: true},
	{suite: "net/http", test: "TestServerHijackGetsBackgroundByte_big", columns: dial, why: assertsConn, ends: true},
	{suite: "net/http", test: "TestServerHijackGetsFullBody", columns: dial, why: assertsConn, ends: true},
	// The panic of the assertion never ends the test, which then waits for its server.
	{suite: "net/http", test: "TestInvalidChunkedBodies", columns: dial, why: assertsConn, ends: true},
	{suite: "net/http", test: "TestHijackAfterCloseNotifier", columns: dial, why: "wants a `*net.TCPConn` from `Hijack`."},
	{suite: "net/http", test: "TestTransportRequestWriteRoundTrip", columns: dial,
		why: "needs a `*net.TCPConn` to watch its `ReadFrom`."},
	{suite: "net/http/httputil", test: "TestReverseProxyWebSocketHalfTCP", columns: dial, why: "asserts `*net.TCPConn`."},
	{suite: "net/rpc", test: "TestShutdown", columns: dial, why: assertsConn, ends: true},
	{suite: "grpc", test: "internal/transport.Test/TCPUserTimeout", columns: dial,
		why: "reads `TCP_USER_TIMEOUT`, which grpc-go sets for `*net.TCPConn` only; [netringgrpc](../integrations/grpc/README.md) sets it."},
	{suite: "fasthttp", test: "TestRevertPull1233", columns: dial, why: "asserts `*net.TCPConn` of an accepted connection, to call `SetLinger`.", ends: true},
	{suite: "fasthttp", test: "TestStreamTCPAcceptanceFlushBeforeFutureDataAndEOF", columns: dial, why: "asserts `*net.TCPConn` of a dialled connection."},
	{suite: "fasthttp", test: "TestStreamTCPAcceptanceDisconnectStopsProducer", columns: dial, why: "asserts `*net.TCPConn` of a dialled connection."},
	{suite: "fasthttp", test: "TestResponseVectoredWriteThroughPerIPConn", columns: dial,
		why: "wants fasthttp to use writev, which fasthttp does for `*net.TCPConn` and `*net.UnixConn` only."},
	{suite: "fasthttp", test: "tcplisten.TestConfigAll", columns: dial, why: assertsConn, ends: true},
	{suite: "fasthttp", test: "tcplisten.TestConfigBacklog", columns: dial, why: assertsConn, ends: true},
	{suite: "fasthttp", test: "tcplisten.TestConfigDeferAccept", columns: dial, why: assertsConn, ends: true},
	{suite: "fasthttp", test: "tcplisten.TestConfigFastOpen", columns: dial, why: assertsConn, ends: true},
	{suite: "fasthttp", test: "tcplisten.TestConfigReusePort", columns: dial, why: assertsConn, ends: true},
	{suite: "go-proxyproto", test: "TestSkipProxyProtocolConnPolicy", columns: dial,
		why: "asserts `*net.TCPConn` of what the listener returns."},
	{suite: "go-proxyproto", test: "TestSkipProxyProtocolPolicy", columns: dial,
		why: "asserts `*net.TCPConn` of what the listener returns."},
	{suite: "go-proxyproto", test: "Test_ConnectionCasts", columns: dial, why: "asks `Conn.TCPConn` for a `*net.TCPConn`, see below."},
	{suite: "echo", test: "TestEchoStart", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEcho_StartTLS", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEchoStartTLSAndStart", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEchoStartTLSByteString", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEcho_StartAutoTLS", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEcho_StartH2CServer", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEchoClose", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEchoShutdown", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEchoStaticRedirectIndex", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEchoListenerNetwork", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEcho_ListenerAddr", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEcho_TLSListenerAddr", columns: dial, why: echoStart, ends: true},
	{suite: "echo", test: "TestEcho_StartServer", columns: dial, why: echoStart, ends: true},
}

// program is a well-known program or library for `netring-try check`.
type program struct{ name, module, pattern string }

var programs = []program{
	{"Caddy", "github.com/caddyserver/caddy/v2@v2.11.9", "./..."},
	{"nats-server", "github.com/nats-io/nats-server/v2@v2.15.2", "./..."},
	{"Prometheus", "github.com/prometheus/prometheus@v0.316.0", "./..."},
	{"grpc-go", "google.golang.org/grpc@v1.85.0", "./..."},
	{"echo", "github.com/labstack/echo/v4@v4.16.0", "./..."},
}
