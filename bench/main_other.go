//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: outside Linux netring uses package net, so there is nothing to compare; use Linux")
	os.Exit(1)
}
