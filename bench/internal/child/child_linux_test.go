package child

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// sh returns the command that runs a shell script.
func sh(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

func TestServer(t *testing.T) {
	c, err := StartServer(sh(`echo 1234; read line; echo "{\"Answer\": $line}"; read line; echo '{"Err": "no"}'; read line; exit 3`), AllCPUs)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 1234 {
		t.Errorf("port %d", c.Port)
	}
	if _, err := CPUTime(c.PID); err != nil {
		t.Error(err)
	}
	if n, err := Ask[int](c, time.Minute, 5); err != nil || n != 5 {
		t.Errorf("answer %d, %v", n, err)
	}
	if _, err := Ask[int](c, time.Minute, 5); err == nil || err.Error() != "no" {
		t.Errorf("a request that fails: %v", err)
	}
	if err := c.End(); err == nil || !strings.HasPrefix(err.Error(), "exit status 3") {
		t.Errorf("its end: %v", err)
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	for script, want := range map[string]string{
		"echo no; exec sleep 60": `it printed "no\n"`, "echo why >&2; exit 2": "exit status 2: why",
	} {
		if _, err := StartServer(sh(script), AllCPUs); !errors.Is(err, ErrNotStarted) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", script, err, want)
		}
	}
}

// TestChildThatHangs has children that do not answer and do not exit.
func TestChildThatHangs(t *testing.T) {
	start := func(script string) *Child {
		c, err := Start(sh(script), AllCPUs)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := start("exec sleep 60").end(20 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("its end: %v", err)
	}
	c := start("exec sleep 60")
	_, err := Ask[int](c, 20*time.Millisecond, 1)
	if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "nothing within 20ms") {
		t.Errorf("its answer: %v", err)
	}
	if got := c.Abort(err); !errors.Is(got, ErrBroken) {
		t.Errorf("its end: %v", got)
	}
	c = start("echo why >&2; exit 2")
	var line any
	err = c.receive(time.Minute, &line)
	if err != io.EOF {
		t.Errorf("the line of a child that has exited: %v", err)
	}
	if err := c.Abort(err); err == nil || err.Error() != "exit status 2: why" {
		t.Errorf("its end: %v", err)
	}
}

func TestAnswer(t *testing.T) {
	var out bytes.Buffer
	err := Answer(strings.NewReader("1\n2\n"), &out, func(n int) (int, error) {
		if n == 2 {
			return 0, errors.New("two\nlines")
		}
		return -n, nil
	})
	if want := "{\"Answer\":-1}\n{\"Err\":\"two; lines\",\"Answer\":0}\n"; err != nil || out.String() != want {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := Answer(strings.NewReader("x"), &out, func(int) (int, error) { return 0, nil }); err == nil {
		t.Error("a request that is none")
	}
}

func TestCPUs(t *testing.T) {
	c, err := Start(sh("taskset -p $$ >&2"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.End(); err != nil || !strings.HasSuffix(c.complaint(), "mask: 1") {
		t.Errorf("%v, %s", err, c.complaint())
	}
	if _, _, err := CPUs("nonsense"); err == nil {
		t.Error("a setting that is none")
	}
}
