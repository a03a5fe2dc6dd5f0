package netring

import (
	"testing"

	"github.com/netring-go/netring/internal/leakcheck"
)

func TestMain(m *testing.M) {
	enterSandbox()
	leakcheck.Main(m)
}
