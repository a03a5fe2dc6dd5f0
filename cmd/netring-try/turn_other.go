//go:build !linux

package main

import (
	"context"
	"errors"
)

func (c *comparison) turn(context.Context, []string) (m measurement, err error) {
	return m, errors.New("a program on netring runs on Linux only")
}
