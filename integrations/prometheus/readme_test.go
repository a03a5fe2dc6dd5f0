package netringprom

import (
	"os"
	"regexp"
	"testing"

	"github.com/netring-go/netring"
)

// README.md lists the metrics, all of them and no others.
func TestReadmeListsMetrics(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	s := filled(t)
	exported := families(t, collector{func() netring.Stats { return s }})
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("`(netring_\\w+)").FindAllSubmatch(text, -1) {
		listed[string(m[1])] = true
	}
	for name := range exported {
		if !listed[name] {
			t.Errorf("README.md does not list %s", name)
		}
	}
	for name := range listed {
		if exported[name] == nil {
			t.Errorf("README.md lists %s, which is not exported", name)
		}
	}
}
