//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "modes: io_uring and epoll are Linux interfaces: there is nothing to compare here")
	os.Exit(1)
}
