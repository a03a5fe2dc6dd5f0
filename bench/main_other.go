//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: netring is package net here: there is nothing to compare; run it on Linux")
	os.Exit(1)
}
