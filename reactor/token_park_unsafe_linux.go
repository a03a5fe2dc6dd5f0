//go:build gc && !race && !msan && !asan

package reactor

import (
	"sync/atomic"
	"unsafe"
)

// token waits as Go's netpoller does, in the state "IO wait": with neither memory of
// its own nor a trace in the block profile, and, inside a synctest bubble, without
// counting as durably blocked.
//
// runtime.gopark and runtime.goready are what package runtime offers for that by
// linkname: their signatures do not change, see go.dev/issue/67401.
type token struct {
	state atomic.Uintptr // tokenNone, tokenThere or the goroutine that sleeps
}

const (
	tokenNone  uintptr = 0
	tokenThere uintptr = 1
)

// sleeper is a goroutine to be woken; 0: none.
type sleeper uintptr

func (t *token) put() sleeper {
	for {
		switch s := t.state.Load(); s {
		case tokenNone:
			if t.state.CompareAndSwap(tokenNone, tokenThere) {
				return 0
			}
		case tokenThere:
			panic("reactor: a call is owed two tokens")
		default:
			if t.state.CompareAndSwap(s, tokenNone) {
				return sleeper(s)
			}
		}
	}
}

func (t *token) has() bool { return t.state.Load() == tokenThere }

func (t *token) take() bool { return t.state.CompareAndSwap(tokenThere, tokenNone) }

func (t *token) wait() (slept bool) {
	if t.take() {
		return false
	}
	gopark(commitSleep, unsafe.Pointer(&t.state), waitReasonIOWait, traceBlockNet, 2)
	// Nobody puts a second token before the first has been taken. So a token that is there
	// now was there before this goroutine could sleep.
	return !t.take()
}

func (s sleeper) none() bool { return s == 0 }

func (s sleeper) ready() { goready(uintptr(s), 2) }

// commitSleep runs on the scheduler's stack once the goroutine g can be woken. It
// reports whether g shall sleep.
func commitSleep(g uintptr, state unsafe.Pointer) bool {
	return atomic.CompareAndSwapUintptr((*uintptr)(state), tokenNone, g)
}

// From package runtime: runtime2.go and traceruntime.go.
const (
	waitReasonIOWait = 2
	traceBlockNet    = 2
)

//go:linkname gopark runtime.gopark
func gopark(unlockf func(g uintptr, lock unsafe.Pointer) bool, lock unsafe.Pointer, reason, traceReason uint8, traceskip int)

//go:linkname goready runtime.goready
func goready(g uintptr, traceskip int)
