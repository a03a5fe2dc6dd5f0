package reactor

import (
	"testing"
	"testing/synctest"
)

// inside runs f in a bubble.
func inside(t *testing.T, f func()) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { f() })
}
