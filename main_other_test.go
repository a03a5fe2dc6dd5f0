//go:build !linux

package netring

import (
	"testing"

	"github.com/netring-go/netring/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// awaitNoDefaultPoller returns at once: outside Linux, no default Poller exists.
func awaitNoDefaultPoller(testing.TB) {}
