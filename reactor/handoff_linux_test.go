package reactor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/netring-go/netring/reactor/engine"
)

func TestHandoffTakeBounds(t *testing.T) {
	var h handoff
	var ops []*op
	for i := range 5 {
		ops = append(ops, &op{Op: engine.Op{Buf: make([]byte, 100*(i+1))}})
	}
	h.requeue(ops...)
	var buf [4]*op
	for i, want := range [][]*op{ops[:2], ops[2:3], ops[3:4], ops[4:]} {
		got := h.take(buf[:], 400)
		if i == 2 { // op 3 alone is 400 bytes, op 4 alone is above the limit but goes all the same
			want = ops[3:4]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("take %d: got %d ops, want %d", i, len(got), len(want))
		}
	}
	if n := h.length(); n != 0 {
		t.Errorf("%d ops left", n)
	}
	if got := h.take(buf[:], 400); len(got) != 0 {
		t.Errorf("took %d ops from an empty queue", len(got))
	}
}

// TestExplorer runs each scenario in every order that its goroutines could run in.
func TestExplorer(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			x, err := newExplorer(sc, faultNone, nil)
			if err != nil {
				t.Fatal(err)
			}
			if failure, schedule := x.explore(); failure != "" {
				t.Fatalf("%s, after\n%s", failure, strings.Join(schedule, "\n"))
			}
			t.Logf("%d states, %d steps, %d calls compared", x.states, x.steps, len(x.compared))
		})
	}
}

// TestExplorerFindsFaults breaks the simulated code, or the source of handoff, and
// wants the explorer to notice.
func TestExplorerFindsFaults(t *testing.T) {
	source, err := os.ReadFile("handoff_linux.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		scenario string // one that finds it
		fault    fault
		edits    []edit
	}{
		{name: "runInline does not call ensure", scenario: "a submitter runs the op of a reader, in vain, and a bubble's reader leaves", fault: faultEnsure},
		{name: "park does not look at watcher", scenario: "two readers", edits: []edit{
			{"park", "h.watcher.Load() == watchedByNobody", "false"},
		}},
		{name: "notify does not look at asleep", scenario: "a reader is interrupted", fault: faultAsleep},
		{name: "a coalescer is not counted in roomWaiters", scenario: "a buffered write that waits for ever", fault: faultRoomWaiters},
		{name: "leaderLook does not look at the token", scenario: "a reader is interrupted", fault: faultToken},
		{name: "the flag is cleared after the look", scenario: "one reader", fault: faultLateReset},
		{name: "exhausted ignores events", scenario: "two readers that try first", fault: faultEpoch},
		{name: "a leader in a bubble stays recalled", scenario: "a reader in a bubble for ever, a buffered write outside", fault: faultStay},
		{name: "standIn has nobody recheck", scenario: "a buffered write in a bubble, a reader outside", fault: faultStandIn},

		{name: "leave reads the counters first", scenario: "two readers", edits: []edit{
			{"leave", "h.watcher.Store(watchedByNobody)", "others := h.pending.len() > 0 || h.parked.Load() > 0 || h.roomWaiters.Load() > 0\nh.watcher.Store(watchedByNobody)"},
			{"leave", "if s := h.look(); s != nothing {\n\t\treturn s", "if others {\nreturn h.start()"},
		}},
		{name: "call lets a loop sleep", scenario: "a write is added while the loop sleeps", edits: []edit{
			{"call", "h.running = true\n\t\treturn wakeWatcher", "h.running = true\nreturn nothing"},
		}},
		{name: "call does not mark a loop", scenario: "a write is added while the loop sleeps", edits: []edit{
			{"call", "h.running = true\n\t\treturn wakeWatcher", "return wakeWatcher"},
		}},
		{name: "call does not recall a leader", scenario: "a write is added while a leader sleeps", edits: []edit{
			{"call", "h.recalled.Store(true)", ""},
		}},
		{name: "call lets a leader sleep", scenario: "a write is added while a leader sleeps", edits: []edit{
			{"call", "h.recalled.Store(true)\n\t\treturn wakeWatcher", "h.recalled.Store(true)\nreturn nothing"},
		}},
		{name: "woken lets a loop sleep", scenario: "two readers", edits: []edit{
			{"woken", "return h.idle()", "return nothing"},
		}},
		{name: "foundRoom lets a loop sleep", scenario: "a buffered write finds room by itself", edits: []edit{
			{"foundRoom", "return h.idle()", "return nothing"},
		}},
		{name: "idle takes what decide stores for a moment for the truth", scenario: "two readers", edits: []edit{
			{"idle", "h.mu.Lock()", "if h.watcher.Load() != watchedByLoop {\nreturn nothing\n}\nh.mu.Lock()"},
		}},
		{name: "the loop decides in one section and leaves in the next", scenario: "requests and answers", edits: []edit{
			{"add", "h.pending.push(o)", "h.pending.push(o)\nh.mu.Unlock()\nh.mu.Lock()"},
			{"decide", "h.watcher.Store(watchedByNobody)", "h.mu.Unlock()\nh.mu.Lock()\nh.watcher.Store(watchedByNobody)"},
		}},
		{name: "a leader leaves ops behind", scenario: "a write is added while a leader leaves", edits: []edit{
			{"look", "h.pending.len() == 0 && ", ""},
		}},
		{name: "a closed reactor can be watched", scenario: "close while a reader starts", edits: []edit{
			{"close", "h.watcher.Store(watchedNoMore)", ""},
		}},
		{name: "a watcher does not say that it has left", scenario: "close while two readers wait", edits: []edit{
			{"decide", "h.gone()", ""},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := explorerOf(t, tc.scenario, tc.fault, string(source), tc.edits)
			switch failure, schedule := x.explore(); failure {
			case "", tooMany:
				t.Errorf("not found in %d states", x.states)
			default:
				t.Logf("%s, after %d steps", failure, len(schedule))
			}
		})
	}
}

// edit is a change of one of handoff's methods.
type edit struct{ method, old, new string }

// explorerOf returns an explorer of the named scenario with a fault or with edits.
func explorerOf(t *testing.T, name string, f fault, source string, edits []edit) *explorer {
	t.Helper()
	i := slices.IndexFunc(scenarios, func(sc scenario) bool { return sc.name == name })
	if i < 0 {
		t.Fatalf("there is no scenario %q", name)
	}
	for _, e := range edits {
		begin := strings.Index(source, "func (h *handoff) "+e.method+"(")
		if begin < 0 {
			t.Fatalf("handoff_linux.go has no method %s any more: this fault needs a new place", e.method)
		}
		end := begin + strings.Index(source[begin:], "\n}\n")
		body := source[begin:end]
		if strings.Count(body, e.old) != 1 {
			t.Fatalf("%s does not have %q once any more: this fault needs a new place", e.method, e.old)
		}
		source = source[:begin] + strings.Replace(body, e.old, e.new, 1) + source[end:]
	}
	var edited []byte
	if edits != nil {
		edited = []byte(source)
	}
	x, err := newExplorer(scenarios[i], f, edited)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
