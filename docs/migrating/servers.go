package migrating

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/cloudflare/tableflip"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/network/standard"

	"github.com/netring-go/netring"
)

func listenUpgradable(upg *tableflip.Upgrader, addr string) (net.Listener, error) {
	ln, err := upg.Listen("tcp", addr) // new, or inherited from the parent process
	if err != nil {
		return nil, err
	}
	return netring.Wrap(ln)
}

func newHertz(addr string) (*server.Hertz, error) {
	ln, err := netring.Listen("tcp", addr) // was: server.WithListenConfig(&net.ListenConfig{…})
	if err != nil {
		return nil, err
	}
	// The default transport is netpoll's event loop, which takes the descriptor for itself.
	return server.New(server.WithListener(ln), server.WithTransport(standard.NewTransporter)), nil
}

func init() { caddy.RegisterNetwork("netring", listenCaddy) }

// listenCaddy serves the listen addresses "netring/HOST:PORT" of a Caddy configuration.
func listenCaddy(ctx context.Context, _, host, ports string, offset uint, cfg net.ListenConfig) (any, error) {
	first, err := strconv.ParseUint(ports, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("use a single port: %w", err)
	}
	// Caddy opens a new configuration's listeners before it closes the old ones.
	lc := netring.ListenConfig{Control: reusePort, KeepAliveConfig: cfg.KeepAliveConfig}
	return lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.FormatUint(first+uint64(offset), 10)))
}
