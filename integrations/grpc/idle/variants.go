package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/netring-go/netring"
	netringgrpc "github.com/netring-go/netring/integrations/grpc"
)

// variant is a way to make connections.
type variant struct {
	name   string
	listen func(network, address string) (net.Listener, error)
	dial   func(ctx context.Context, address string) (net.Conn, error)
}

var variants = []variant{
	{"net", net.Listen, dialer(new(net.Dialer).DialContext)},
	{"netring", netring.Listen, dialer(new(netring.Dialer).DialContext)},
	{"netringgrpc", netringgrpc.Listen, netringgrpc.DialContext},
}

func dialer(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }
}

func variantNames() (names []string) {
	for _, v := range variants {
		names = append(names, v.name)
	}
	return names
}

func variantNamed(name string) (v variant, err error) {
	for _, v := range variants {
		if v.name == name {
			return v, nil
		}
	}
	return v, fmt.Errorf("-variants has %q; use %s", name, strings.Join(variantNames(), ", "))
}

// serve is the server: it prints its address and answers health checks.
func serve(name string) error {
	v, err := variantNamed(name)
	if err != nil {
		return err
	}
	ln, err := v.listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	fmt.Println(ln.Addr())
	err = answer(os.Stdin, os.Stdout, func(what string) (string, error) {
		if what != cmdUsage {
			return "", fmt.Errorf("the server was asked for %q", what)
		}
		return report()
	})
	s.Stop()
	return errors.Join(err, <-served)
}

// connect is the client.
func connect(name, target string, n int) error {
	v, err := variantNamed(name)
	if err != nil {
		return err
	}
	conns := make([]*grpc.ClientConn, n)
	err = answer(os.Stdin, os.Stdout, func(what string) (string, error) {
		switch what {
		case cmdUsage:
			return report()
		case cmdConnect:
			return done, v.connectAll(conns, target)
		}
		return "", fmt.Errorf("the client was asked for %q", what)
	})
	for _, c := range conns {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// connectAll makes the connections, a few at once.
func (v variant) connectAll(conns []*grpc.ClientConn, target string) error {
	const workers = 32
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(conns) && errs[w] == nil; i += workers {
				conns[i], errs[w] = v.connectOne(target)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// connectOne makes a connection and a call.
func (v variant) connectOne(target string) (*grpc.ClientConn, error) {
	c, err := grpc.NewClient("passthrough:///"+target, grpc.WithContextDialer(v.dial), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithIdleTimeout(0))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := grpc_health_v1.NewHealthClient(c).Check(ctx, new(grpc_health_v1.HealthCheckRequest)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}
