//go:build !linux

package main

import "errors"

func installSeccomp() error { return errors.New("seccomp is Linux's") }
