package overlay

import (
	"strings"
	"testing"
)

const source = `package p

import "sync"

// F is documented.
func (s *S) F(a, b int) (n int, err error) {
	s.lock()
	defer s.unlock()
	if err := s.prepare(); err != nil {
		return 0, err
	}
	return s.work()
}

func (s S) G() { s.work() }

func f() {}

func external()

var mu sync.Mutex
`

// insert makes the insertions in source.
func insert(t *testing.T, insertions ...Insertion) (string, error) {
	t.Helper()
	tree := NewTree(t.TempDir(), nil)
	name := tree.Src("p", "p.go")
	tree.Write(name, []byte(source))
	err := Insert(insertions...)(tree)
	return read(t, tree, name), err
}

func TestInsert(t *testing.T) {
	const f = "func (s *S) F(a, b int) (n int, err error)"
	got, err := insert(t,
		Insertion{File: "p/p.go", Func: f, After: []string{"lock", "unlock"}, Before: "prepare", Text: "if a > 0 { return b, nil }"},
		Insertion{File: "p/p.go", Func: f, Text: "first()"},
		Insertion{File: "p/p.go", Func: "func (s S) G()", Before: "work", Text: "g()"},
		Insertion{File: "p/p.go", Func: "func f()", Text: "h()"},
	)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		f+" {", f+" { first(); ",
		"if err := s.prepare()", " if a > 0 { return b, nil }; if err := s.prepare()",
		"G() { s.work()", "G() {  g(); s.work()",
		"f() {}", "f() { h(); }",
	).Replace(source)
	if got != want {
		t.Errorf("the source is\n%s\nand should be\n%s", got, want)
	}
}

func TestInsertRefuses(t *testing.T) {
	const f = "func (s *S) F(a, b int) (n int, err error)"
	for _, test := range []struct {
		in   Insertion
		want string
	}{
		{Insertion{File: "p/q.go", Func: f}, "p/q.go cannot be read"},
		{Insertion{File: "p/p.go", Func: "func (s *S) F(a, b int) error"}, "p/p.go has no declaration func (s *S) F(a, b int) error"},
		{Insertion{File: "p/p.go", Func: "func (t *S) F(a, b int) (n int, err error)"}, "has no declaration"},
		{Insertion{File: "p/p.go", Func: "func (s *S) G()"}, "has no declaration"},
		{Insertion{File: "p/p.go", Func: "func external()"}, "has no declaration"},
		{Insertion{File: "p/p.go", Func: "var mu sync.Mutex"}, "has no declaration"},
		{Insertion{File: "p/p.go", Func: f, Before: "missing"}, "0 statements call missing"},
		{Insertion{File: "p/p.go", Func: f, Before: "prepare", After: []string{"lock", "work"}}, "it should call work before prepare"},
	} {
		test.in.Text = "x()"
		got, err := insert(t, test.in)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.in, err, test.want)
		}
		if got != source {
			t.Errorf("%+v: the source has changed:\n%s", test.in, got)
		}
	}
	tree := NewTree(t.TempDir(), nil)
	tree.Write(tree.Src("p.go"), []byte("no Go"))
	if err := Insert(Insertion{File: "p.go"})(tree); err == nil || !strings.Contains(err.Error(), "p.go cannot be parsed") {
		t.Errorf("a file that is no Go: %v", err)
	}
	tree.Write(tree.Src("p.go"), []byte("package p\n\nfunc f() {\n\ts.a()\n\ts.a()\n}\n"))
	twice := Insertion{File: "p.go", Func: "func f()", Before: "a"}
	if err := Insert(twice)(tree); err == nil || !strings.Contains(err.Error(), "2 statements call a") {
		t.Errorf("two places for one insertion: %v", err)
	}
}
