//go:build netring_try_overlay

// Package net has the part of the real package net that the reactors use. They cannot import
// the real one, which imports them.
package net

import "internal/poll"

// ErrClosed is the real package's.
var ErrClosed error = poll.ErrNetClosing
