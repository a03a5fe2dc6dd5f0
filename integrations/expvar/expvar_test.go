package netringexpvar

import (
	"context"
	"encoding/json"
	"expvar"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/netring-go/netring"
)

func Example() {
	Publish("netring", nil)
	// import _ "expvar" serves it: http.ListenAndServe("127.0.0.1:8081", nil)
}

// The variables that a server publishes are those of its own Poller and the default one.
func TestPublish(t *testing.T) {
	p, err := netring.NewPoller(netring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	Publish("own", p)
	Publish("default", nil)
	lc := netring.ListenConfig{Poller: p}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	other, err := netring.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	srv := httptest.NewUnstartedServer(expvar.Handler())
	srv.Listener.Close()
	srv.Listener = ln
	srv.Start()
	defer srv.Close()

	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var vars struct{ Own, Default netring.Stats }
	if err := json.Unmarshal(text, &vars); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	want := p.Stats()
	if vars.Own.Engine != want.Engine || vars.Own.EngineReason != want.EngineReason {
		t.Errorf("engine %v (%s), want %v (%s)", vars.Own.Engine, vars.Own.EngineReason, want.Engine, want.EngineReason)
	}
	if want.Reactors > 0 && (vars.Own.Accepted != 1 || vars.Own.Connections != 1 || vars.Own.BytesIn == 0 || len(vars.Own.PerReactor) != want.Reactors+1) {
		t.Errorf("of the connection that asks: %+v", vars.Own)
	}
	if want := netring.DefaultStats(); vars.Default.Engine != want.Engine || want.Engine != netring.EngineNet && vars.Default.Descriptors != 1 {
		t.Errorf("of the default Poller, which has a listener: %+v, want %+v", vars.Default, want)
	}
}
