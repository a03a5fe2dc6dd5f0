package netring

import (
	"testing"
)

// netring and package reactor use the same text for each engine.
func TestEngineKinds(t *testing.T) {
	for e := range Engine(len(engineNames)) {
		if k := e.kind(); k.String() != e.String() || engineOf(k) != e {
			t.Errorf("%v is %v in package reactor, which is %v here", e, k, engineOf(k))
		}
	}
}
