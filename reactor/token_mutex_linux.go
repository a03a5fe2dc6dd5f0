//go:build !gc || race || msan || asan

package reactor

import (
	"sync"
	"sync/atomic"
)

// token waits on a mutex that is held while nobody sleeps, for builds in which the
// other implementation's callback cannot run: the race detector and the sanitizers
// want a goroutine's stack for atomic operations.
//
// The zero mutex is not held, so the first wait locks it.
type token struct {
	state atomic.Uint32 // tokenNone, tokenThere or tokenWanted
	held  bool          // touched by the waiter only
	mu    sync.Mutex
}

const (
	tokenNone uint32 = iota
	tokenThere
	tokenWanted
)

// sleeper is a goroutine to be woken; the zero value: none.
type sleeper struct{ mu *sync.Mutex }

func (t *token) put() sleeper {
	if t.state.CompareAndSwap(tokenNone, tokenThere) {
		return sleeper{}
	}
	if t.state.CompareAndSwap(tokenWanted, tokenNone) {
		return sleeper{&t.mu}
	}
	panic("reactor: a call is owed two tokens")
}

func (t *token) has() bool { return t.state.Load() == tokenThere }

func (t *token) take() bool { return t.state.CompareAndSwap(tokenThere, tokenNone) }

func (t *token) wait() (slept bool) {
	if !t.held {
		t.mu.Lock()
		t.held = true
	}
	if !t.state.CompareAndSwap(tokenNone, tokenWanted) {
		t.state.Store(tokenNone)
		return false
	}
	t.mu.Lock() // unlocked by ready
	return true
}

func (s sleeper) none() bool { return s.mu == nil }

func (s sleeper) ready() { s.mu.Unlock() }
