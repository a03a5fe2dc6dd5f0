//go:build !linux

package netringgrpc

import "time"

// readyReader is empty: outside Linux, grpc-go reads into a buffer that it holds.
type readyReader struct{}

// setUserTimeout does nothing: TCP_USER_TIMEOUT is an option of Linux.
func (c *Conn) setUserTimeout(time.Duration) error { return nil }
