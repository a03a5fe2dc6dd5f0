package migrating

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
	gorilla "github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
	"golang.org/x/net/proxy"
	"golang.org/x/net/websocket"
	"google.golang.org/grpc"

	"github.com/netring-go/netring"
)

// dialer is for all functions that take a function.
var dialer = netring.Dialer{Timeout: 5 * time.Second}

func dialTLS(ctx context.Context, address string, cfg *tls.Config) (*tls.Conn, error) {
	c, err := dialer.DialContext(ctx, "tcp", address) // was: tls.DialWithDialer, tls.Dialer
	if err != nil {
		return nil, err
	}
	// tls.Dial takes a missing cfg.ServerName from the address; tls.Client does not.
	tc := tls.Client(c, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return tc, nil
}

func dialWebsocket(ctx context.Context, cfg *websocket.Config) (*websocket.Conn, error) {
	c, err := dialer.DialContext(ctx, "tcp", cfg.Location.Host) // was: cfg.Dialer = &net.Dialer{…}
	if err != nil {
		return nil, err
	}
	ws, err := websocket.NewClient(cfg, c) // for wss: of the *tls.Conn that dialTLS above returns
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return ws, nil
}

func newRedis(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:   addr,
		Dialer: dialer.DialContext, // with Options.TLSConfig: a function that calls dialTLS above
	})
}

func useInDrivers(pg *pgconn.Config, ws *gorilla.Dialer) grpc.DialOption {
	pg.DialFunc = dialer.DialContext
	ws.NetDialContext = dialer.DialContext
	mysql.RegisterDialContext("netring", func(ctx context.Context, addr string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", addr) // in the DSN: user:password@netring(host:3306)/db
	})
	return grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", addr)
	})
}

func newSOCKS5(address string) (proxy.Dialer, error) {
	return proxy.SOCKS5("tcp", address, nil, &dialer) // was: &net.Dialer{…}
}
