package overlay

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// KnownVersions are the versions of Go whose package net this package is tested with.
// Other versions work as long as the declarations look as expected.
const KnownVersions = "go1.25 and go1.26"

// declaration is a method of package net that the build changes.
type declaration struct {
	receiver, method string
	params           []string
	results          []string
	hook             string // the function of package net that is called first
}

var (
	listenDecl = declaration{
		"ListenConfig", "Listen",
		[]string{"context.Context", "string", "string"}, []string{"Listener", "error"}, "netringTryListen",
	}
	dialDecl = declaration{
		"Dialer", "DialContext",
		[]string{"context.Context", "string", "string"}, []string{"Conn", "error"}, "netringTryDial",
	}
)

func (d declaration) String() string {
	return fmt.Sprintf("func (*%s) %s(%s) (%s)", d.receiver, d.method, strings.Join(d.params, ", "), strings.Join(d.results, ", "))
}

// netSource is added to package net. It holds the hooks.
//
//go:embed net/netring_try.go
var netSource []byte

// HookNet returns the Layer that makes net.ListenConfig.Listen call a hook first and, if dial
// is set, net.Dialer.DialContext as well. version is the toolchain's, for the error.
func HookNet(version string, dial bool) Layer {
	return func(t *Tree) error {
		decls := []declaration{listenDecl}
		if dial {
			decls = append(decls, dialDecl)
		}
		for _, d := range decls {
			if err := d.hookIn(t, version); err != nil {
				return err
			}
		}
		t.Write(t.Src("net", "netring_try.go"), stripConstraint(netSource))
		return nil
	}
}

// hookIn finds the declaration in package net and inserts the call of the hook.
func (d declaration) hookIn(t *Tree, version string) error {
	dir := t.Src("net")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading package net of %s: %w", version, err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := t.Read(name)
		if err != nil {
			return err
		}
		out, found, err := d.insert(name, src)
		if err != nil {
			return err
		}
		if found {
			t.Write(name, out)
			return nil
		}
	}
	return fmt.Errorf("package net of %s in %s has no declaration %s; netring-try knows %s, use one of these, as in GOTOOLCHAIN=go1.26.0",
		version, dir, d, KnownVersions)
}

// insert returns src with the call of the hook at the start of the method. The call stands on
// the line of the opening brace, so that all line numbers stay as they are.
func (d declaration) insert(name string, src []byte) (_ []byte, found bool, err error) {
	if !strings.Contains(string(src), d.method) {
		return nil, false, nil
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, false, err
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || !d.matches(f) {
			continue
		}
		at := fset.Position(f.Body.Lbrace).Offset + 1
		args := append(fieldNames(f.Recv), fieldNames(f.Type.Params)...)
		call := fmt.Sprintf(" if r, err, ok := %s(%s); ok { return r, err };", d.hook, strings.Join(args, ", "))
		return []byte(string(src[:at]) + call + string(src[at:])), true, nil
	}
	return nil, false, nil
}

// matches reports whether f is the declaration.
func (d declaration) matches(f *ast.FuncDecl) bool {
	if f.Name.Name != d.method || f.Recv == nil || f.Body == nil || f.Type.TypeParams != nil {
		return false
	}
	recv, named := fieldTypes(f.Recv)
	if !named || len(recv) != 1 || recv[0] != "*"+d.receiver {
		return false
	}
	params, named := fieldTypes(f.Type.Params)
	results, _ := fieldTypes(f.Type.Results)
	return named && slices.Equal(params, d.params) && slices.Equal(results, d.results)
}

// fieldTypes returns the type of each parameter, and whether each has a name.
func fieldTypes(list *ast.FieldList) (found []string, named bool) {
	if list == nil {
		return nil, false
	}
	for _, f := range list.List {
		typ := types.ExprString(f.Type)
		for range max(1, len(f.Names)) {
			found = append(found, typ)
		}
	}
	names := fieldNames(list)
	return found, len(names) == len(found) && !slices.Contains(names, "_")
}

// fieldNames returns the names of the parameters.
func fieldNames(list *ast.FieldList) []string {
	var names []string
	for _, f := range list.List {
		for _, n := range f.Names {
			names = append(names, n.Name)
		}
	}
	return names
}

// stripConstraint removes the first line of a file, the build constraint that keeps it out of
// the builds of netring-try itself.
func stripConstraint(src []byte) []byte {
	_, rest, _ := bytes.Cut(src, []byte("\n"))
	return rest
}
