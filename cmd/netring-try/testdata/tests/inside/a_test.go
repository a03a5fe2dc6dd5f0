package inside

import (
	"fmt"
	"os"
	"testing"
)

func TestServed(t *testing.T) {
	l, err := Served()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got, want := fmt.Sprintf("%T", l), os.Getenv("WANT_LISTENER"); got != want {
		t.Errorf("net.Listen returns a %s, want a %s", got, want)
	}
}
