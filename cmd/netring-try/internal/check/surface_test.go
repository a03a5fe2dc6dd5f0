package check

import (
	"context"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSurface compares the methods that surface declares with those of package netring.
func TestSurface(t *testing.T) {
	t.Setenv("GOWORK", "off")
	p, err := load(context.Background(), &options{dir: "../../../..", patterns: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	real := p.checked[netringPath]
	if real == nil {
		t.Fatalf("%s is not the module above", netringPath)
	}
	for name, declared := range map[string]types.Type{"Conn": p.net.conn, "Listener": p.net.listener} {
		obj := real.Scope().Lookup(name)
		if obj == nil {
			t.Fatalf("netring has no %s", name)
		}
		want, got := methods(types.NewPointer(obj.Type())), methods(declared)
		for m := range want {
			if !got[m] {
				t.Errorf("surface does not declare func (*%s) %s", name, m)
			}
		}
		for m := range got {
			if !want[m] {
				t.Errorf("netring does not have func (*%s) %s", name, m)
			}
		}
		if len(got) < 5 {
			t.Errorf("only %d methods of %s", len(got), name)
		}
	}
}

// TestWrite looks up what the findings tell people to write.
func TestWrite(t *testing.T) {
	t.Setenv("GOWORK", "off")
	p, err := load(context.Background(), &options{dir: "../../../..", patterns: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	scope := p.checked[netringPath].Scope()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bnetring\.([A-Z]\w*)`).FindAllSubmatch(src, -1) {
			seen++
			if scope.Lookup(string(m[1])) == nil {
				t.Errorf("%s names %s, which netring does not have", name, m[0])
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d names", seen)
	}
}

// methods lists the exported methods of a type as surface writes them.
func methods(t types.Type) map[string]bool {
	in := func(p *types.Package) string {
		if p.Path() == netringPath {
			return ""
		}
		return p.Name()
	}
	list := func(tuple *types.Tuple) string {
		var all []string
		for v := range tuple.Variables() {
			all = append(all, types.TypeString(v.Type(), in))
		}
		return strings.Join(all, ", ")
	}
	found := make(map[string]bool)
	for sel := range types.NewMethodSet(t).Methods() {
		if !sel.Obj().Exported() {
			continue
		}
		sig := sel.Type().(*types.Signature)
		results := list(sig.Results())
		if sig.Results().Len() > 1 {
			results = "(" + results + ")"
		}
		found[strings.TrimSpace(sel.Obj().Name()+"("+list(sig.Params())+") "+results)] = true
	}
	return found
}
