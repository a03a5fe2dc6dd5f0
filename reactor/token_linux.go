package reactor

// A token is a binary semaphore with one waiter. A call waits for its token, and whoever
// ends the wait puts it. At most one token is ever owed to a waiter.
//
// Go's channels and condition variables do not serve here, because a reactor serves calls
// from everywhere. A channel that was made in a testing/synctest bubble may not be used
// from outside. A goroutine of a bubble that waits on a channel counts as blocked for
// good, so that the bubble's clock jumps. Such waits also show in the block profile, where
// waits for the network do not belong.
//
// There are two implementations: token_park_unsafe_linux.go and token_mutex_linux.go. The
// methods of both are
//
//	put() sleeper   // leaves the token; the sleeper, if any, must be woken with ready
//	has() bool      // the token is there
//	take() bool     // takes it if it is there
//	wait() bool     // waits for it and takes it; reports whether it had to sleep
//
// What a goroutine did before it puts a token is visible to the goroutine that takes it.

// give leaves the token and wakes the sleeper, if any.
func (t *token) give() {
	if s := t.put(); !s.none() {
		s.ready()
	}
}
