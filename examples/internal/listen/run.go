package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// grace is how long a server may take to end what it has begun.
var grace = 5 * time.Second

// Server is what Run runs. *http.Server implements Server.
type Server interface {
	// Serve serves the connections of ln until Shutdown.
	Serve(ln net.Listener) error
	// Shutdown closes the listeners, which ends Serve, and waits until the connections
	// have ended or ctx is done. Run calls it twice.
	Shutdown(ctx context.Context) error
}

// Run is RunUntil until the process gets SIGINT or SIGTERM. A second signal ends the
// process at once.
func (f *Flags) Run(s Server, try string, lns ...net.Listener) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return f.RunUntil(ctx, s, try, lns...)
}

// RunUntil serves the listeners until ctx is done, then shuts down the server and closes
// the Poller. It prints the addresses, the engine, and try, a command to try the server
// with.
func (f *Flags) RunUntil(ctx context.Context, s Server, try string, lns ...net.Listener) error {
	for _, ln := range lns {
		fmt.Println(f.describe(ln))
	}
	fmt.Println("try:", try)

	served := make(chan error, len(lns))
	for _, ln := range lns {
		go func() { served <- s.Serve(ln) }()
	}
	select {
	case err := <-served:
		return errors.Join(err, f.close())
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := s.Shutdown(end)
	for range lns {
		select {
		case serr := <-served:
			if !errors.Is(serr, http.ErrServerClosed) && !errors.Is(serr, net.ErrClosed) {
				err = errors.Join(err, serr)
			}
		case <-end.Done():
			return errors.Join(err, fmt.Errorf("a listener is still served: %w", end.Err()))
		}
	}
	// A closed listener of netring still returns the connections that it has accepted
	// ahead. Serve may have got them too late for the first Shutdown.
	if err := errors.Join(err, s.Shutdown(end), f.close()); err != nil {
		return err
	}
	fmt.Println("shut down")
	return nil
}
