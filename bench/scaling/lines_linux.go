package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/bench/internal/rounds"
	"github.com/netring-go/netring/reactor"
)

// cacheLine is the size of a cache line on nearly all machines Go runs on.
const cacheLine = 64

// cacheLines shows what lies on the same cache lines, from the library's own types,
// and measures what it costs when two threads write to one.
func (m *measurement) cacheLines() error {
	m.printf("## Cache lines\n\n| type | bytes | line | what is on it |\n|---|---|---|---|\n")
	for _, t := range []struct {
		of   reflect.Type
		only []string // fields of interest, by prefix
	}{
		{reflect.TypeFor[reactor.Reactor](), []string{"handoff.", "watch.", "slots.mu", "slots.slots", "ringMu", "eng", "bufs", "smallRead", "stopping", "n."}},
		{reflect.TypeFor[netring.Poller](), nil},
	} {
		for _, l := range lines(t.of, t.only) {
			m.printf("| %v | %d | %d | %s |\n", t.of, t.of.Size(), l.index, strings.Join(l.fields, ", "))
		}
	}
	// The counters are reached through pointers made beforehand: indexing through a
	// pointer to the array would look at its first element, to check the pointer.
	counters := new([4 * cacheLine / 8]atomic.Uint64)
	shared := [2]*atomic.Uint64{&counters[0], &counters[1]}
	apart := [2]*atomic.Uint64{&counters[0], &counters[2*cacheLine/8]} // two lines on: they are fetched in pairs
	var next atomic.Uint32
	contests := []struct {
		what    string
		threads int
		add     func(thread int)
		ns      []float64
	}{
		{"by one thread", 1, func(int) { next.Add(1) }, nil},
		{"by two threads to one counter, as Poller.next", 2, func(int) { next.Add(1) }, nil},
		{"by two threads to two counters on one cache line", 2, func(i int) { shared[i].Add(1) }, nil},
		{"by two threads to two counters on lines of their own", 2, func(i int) { apart[i].Add(1) }, nil},
	}
	for range 3 * m.rounds { // by turns, as the machine's speed drifts
		for i := range contests {
			c := &contests[i]
			c.ns = append(c.ns, try(m.dur/10, c.threads, c.add))
		}
	}
	m.printf("\n| atomic additions | CPU ns |\n|---|---|\n")
	for _, c := range contests {
		m.printf("| %s | %.1f |\n", c.what, rounds.Median(c.ns))
	}
	m.printf("\n")
	return nil
}

// line is a cache line of a type.
type line struct {
	index  uintptr
	fields []string
}

// lines returns the cache lines of t that hold fields of interest, if only says
// what those are.
func lines(t reflect.Type, only []string) (ls []line) {
	leaves(t, "", 0, func(name string, offset uintptr) {
		if only != nil && !slices.ContainsFunc(only, func(p string) bool { return strings.HasPrefix(name, p) }) {
			return
		}
		index := offset / cacheLine
		if len(ls) == 0 || ls[len(ls)-1].index != index {
			ls = append(ls, line{index: index})
		}
		l := &ls[len(ls)-1]
		l.fields = append(l.fields, fmt.Sprintf("`%s`", name))
	})
	return ls
}

// leaves calls f for each field of t, and for those of fields that are structs of
// the same package or without a name, with its offset.
func leaves(t reflect.Type, prefix string, base uintptr, f func(name string, offset uintptr)) {
	for i := range t.NumField() {
		field := t.Field(i)
		if ft := field.Type; ft.Kind() == reflect.Struct && (ft.PkgPath() == t.PkgPath() || ft.Name() == "") {
			leaves(ft, prefix+field.Name+".", base+field.Offset, f)
			continue
		}
		f(prefix+field.Name, base+field.Offset)
	}
}
