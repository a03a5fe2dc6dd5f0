//go:build race || netring_debug

package bufring

// poison overwrites a recycled buffer, so that tests detect a use after Recycle.
func poison(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}
