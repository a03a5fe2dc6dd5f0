package leakcheck

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestFindsOpenDescriptor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc/self/fd")
	}
	before, err := descriptors()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	now, err := descriptors()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for fd, what := range now {
		found = found || before[fd] == "" && strings.HasSuffix(what, os.DevNull)
	}
	if !found {
		t.Errorf("%s is open and not in %v", os.DevNull, now)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := newDescriptors(before); err != nil {
		t.Error(err)
	}
}
