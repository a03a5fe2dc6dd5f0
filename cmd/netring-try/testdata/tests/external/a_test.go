package external_test

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// The listener is made before any init function of this package runs.
var early, errEarly = net.Listen("tcp", "127.0.0.1:0")

func TestEarly(t *testing.T) {
	if errEarly != nil {
		t.Fatal(errEarly)
	}
	defer early.Close()
	if got, want := fmt.Sprintf("%T", early), os.Getenv("WANT_LISTENER"); got != want {
		t.Errorf("net.Listen returns a %s, want a %s", got, want)
	}
}
