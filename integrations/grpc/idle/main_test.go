package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/internal/leakcheck"
)

// TestMain runs a child's role if the program has started this binary as a child.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-role") {
		main()
		return
	}
	leakcheck.Main(m)
}

// The program prints a row for each variant and role, and netringgrpc saves a read buffer.
func TestRun(t *testing.T) {
	const readBuffer = 32 << 10
	var out strings.Builder
	if err := run(&out, 100, variantNames()); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	heap := map[string]float64{}
	for line := range strings.Lines(out.String()) {
		var role, variant string
		var bytes float64
		if n, _ := fmt.Sscan(line, &role, &variant, &bytes); n == 3 {
			heap[role+" "+variant] = bytes
		}
	}
	for _, role := range []string{serverRole, clientRole} {
		for _, v := range variants {
			if heap[role+" "+v.name] <= 0 {
				t.Errorf("there is no row for the %s with %s", role, v.name)
			}
		}
		saved := heap[role+" netring"] - heap[role+" netringgrpc"]
		if runtime.GOOS == "linux" && os.Getenv(netring.EngineEnv) != netring.EngineNet.String() && saved < readBuffer*3/4 {
			t.Errorf("in the %s, netringgrpc saves %.0f bytes of heap; a read buffer has %d", role, saved, readBuffer)
		}
	}
	if err := run(&out, 1, []string{"other"}); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("the error for an unknown variant is %v", err)
	}
}
