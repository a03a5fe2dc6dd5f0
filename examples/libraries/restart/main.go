//go:build unix

// Restart serves HTTP over netring, and SIGHUP replaces the process by a new one, without
// losing a request. Cloudflare's tableflip starts the new process and passes it the
// listening socket.
//
// tableflip returns a listener of package net, always in the new process. netring.Wrap
// moves its socket to netring. Without it, netring would silently be gone after the first
// restart.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/cloudflare/tableflip"

	"github.com/netring-go/netring/examples/internal/listen"
)

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:8085")
	flag.Parse()
	if err := run(flags); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	upg, err := tableflip.New(tableflip.Options{})
	if err != nil {
		return err
	}
	defer upg.Stop()
	std, err := upg.Listen("tcp", flags.Addr())
	if err != nil {
		return err
	}
	ln, err := flags.Wrap(std) // netring.Wrap(std) in your program
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	restartOn(syscall.SIGHUP, upg)
	go func() {
		select {
		case <-upg.Exit(): // a new process has taken over
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := upg.Ready(); err != nil { // ends the process that started this one
		return err
	}
	pid := os.Getpid()
	try := fmt.Sprintf("curl -fsS http://%s/ # then: kill -HUP %d", ln.Addr(), pid)
	return flags.RunUntil(ctx, newServer(ln, pid, flags.Stats), try, ln)
}

// restartOn starts a new process on each signal until the process ends. If the new
// process fails, this one continues.
func restartOn(sig os.Signal, upg *tableflip.Upgrader) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, sig)
	go func() {
		for {
			select {
			case <-signals:
				if err := upg.Upgrade(); err != nil {
					log.Printf("no restart: %v", err)
				}
			case <-upg.Exit():
				return // signals stays registered: the default action would end the process
			}
		}
	}()
}
