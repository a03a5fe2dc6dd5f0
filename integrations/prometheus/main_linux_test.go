package netringprom

import (
	"testing"

	"github.com/netring-go/netring/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
