package errjoin

import (
	"errors"
	"testing"
)

func TestJoin(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	if err := Join(nil, nil); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	if err := Join(nil, a, nil); err != a {
		t.Errorf("of one: %#v", err)
	}
	if err := Join(a, nil, b); !errors.Is(err, a) || !errors.Is(err, b) {
		t.Errorf("of two: %v", err)
	}
}
