package main

import (
	"runtime"
	"strconv"
	"strings"
)

// frame is a function in a tree of stacks.
type frame struct {
	name     string
	kernel   bool
	samples  int // with this function on the stack here
	children map[string]*frame
}

func (f *frame) child(name string, kernel bool) *frame {
	c := f.children[name]
	if c == nil {
		c = &frame{name: name, kernel: kernel, children: map[string]*frame{}}
		f.children[name] = c
	}
	return c
}

// fold makes a tree of what "perf script -F comm,ip,sym,dso" prints: for each
// sample a line with the thread's name, then its stack, innermost function first,
// then an empty line.
func fold(script string) *frame {
	root := &frame{name: "all", children: map[string]*frame{}}
	var thread string
	var stack []string // lines
	end := func() {
		if thread == "" {
			return
		}
		root.samples++
		at := root.child(thread, false)
		at.samples++
		for i := len(stack) - 1; i >= 0; i-- {
			name, kernel := function(stack[i])
			at = at.child(name, kernel)
			at.samples++
		}
		thread, stack = "", stack[:0]
	}
	for line := range strings.Lines(script) {
		text := strings.TrimSpace(line)
		switch {
		case text == "":
			end()
		case line[0] == '\t' || line[0] == ' ':
			stack = append(stack, text)
		default:
			end()
			thread = strings.TrimSuffix(text, ":")
		}
	}
	end()
	return root
}

// function names the function of a line of a stack, "ADDRESS SYMBOL (OBJECT)".
func function(line string) (name string, kernel bool) {
	addr, rest, _ := strings.Cut(line, " ")
	sym, object, _ := cutLast(rest, " (")
	kernel = strings.HasPrefix(object, "[kernel") || strings.HasSuffix(object, ".ko)")
	if sym == "[unknown]" {
		sym = ownFunction(addr)
	}
	sym, _, _ = strings.Cut(sym, "+0x")
	return sym, kernel
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// textBase is where an executable that is not position independent is mapped.
const textBase = 0x400000

// ownFunction names a function of this program. "go run" leaves out the symbols
// that perf would need, but the server is this very program and the Go runtime
// knows its functions. perf prints addresses of the process or, in some
// versions, offsets in the file.
func ownFunction(addr string) string {
	n, err := strconv.ParseUint(addr, 16, 64)
	if err != nil {
		return "[unknown]"
	}
	for _, pc := range []uint64{n, n + textBase} {
		if f := runtime.FuncForPC(uintptr(pc)); f != nil {
			return f.Name()
		}
	}
	return "[unknown]"
}
