//go:build !linux

package netring

import (
	"testing"

	"github.com/netring-go/netring/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// awaitNoDefaultPoller has nothing to wait for: there is no default Poller.
func awaitNoDefaultPoller(testing.TB) {}
