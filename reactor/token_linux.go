package reactor

// A token is a binary semaphore with one waiter: what a call waits for, and what
// whoever ends its wait puts. At most one token is ever owed to a waiter.
//
// Go's channels and condition variables do not serve here. One that was made in a
// testing/synctest bubble may not be used from outside, and a goroutine of a bubble
// that waits on one counts as blocked for good, so that the bubble's clock jumps; but
// a reactor serves calls from everywhere. Waits on them also show in the block
// profile, where waits for the network do not belong.
//
// There are two implementations: token_park_unsafe_linux.go and token_mutex_linux.go. The
// methods of both are
//
//	put() sleeper   // leaves the token; the sleeper, if any, must be woken with ready
//	has() bool      // the token is there
//	take() bool     // takes it if it is there
//	wait() bool     // waits for it and takes it; reports whether it had to sleep
//
// Everything that the goroutine which puts the token did before is visible to the one
// that takes it.
