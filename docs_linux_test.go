package netring

import (
	"slices"
	"strings"
	"testing"

	"github.com/netring-go/netring/reactor/engine"
)

// docs/support.md has the features of io_uring that Probe reports, here or elsewhere.
func TestSupportedFeatures(t *testing.T) {
	features, _ := engine.Probe() // whose error says why io_uring is unavailable here
	var rows [][]string
	head := false
	for line := range strings.Lines(read(t, "docs/support.md")) {
		row := cells(line)
		if row == nil {
			head = false
		} else if head && strings.Trim(row[0], "-:") != "" {
			rows = append(rows, row)
		}
		head = head || len(row) > 0 && row[0] == "feature"
	}
	if len(rows) != len(features) {
		t.Errorf("docs/support.md has %d features, and Probe reports %d", len(rows), len(features))
	}
	for _, f := range features {
		if !slices.ContainsFunc(rows, func(row []string) bool { return slices.Equal(row, []string{f.Name, f.Since, f.Without}) }) {
			t.Errorf("docs/support.md lacks the row %q, %q, %q", f.Name, f.Since, f.Without)
		}
	}
}
