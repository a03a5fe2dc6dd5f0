package deep

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// contextField is pollDesc's handle of the netpoller.
const contextField = "runtimeCtx"

// addFields adds fields to pollDesc. They stand on the line of its closing brace, so that line
// numbers stay as they are.
func addFields(t *overlay.Tree) error {
	name := t.Src(filepath.FromSlash(pollRuntime))
	src, err := t.Read(name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	end, err := descEnd(file)
	if err != nil {
		return fmt.Errorf("%s: %w", pollRuntime, err)
	}
	// ring is nil if the socket is the netpoller's. dialled says that it is a client's.
	t.Write(name, overlay.Splice(src, fset.Position(end).Offset, "ring NetringFD; dialled bool "))
	return nil
}

// descEnd returns where pollDesc's list of fields ends.
func descEnd(file *ast.File) (end token.Pos, err error) {
	err = fmt.Errorf("pollDesc should be a struct with the field %s alone", contextField)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "pollDesc" {
			return true
		}
		s, ok := spec.Type.(*ast.StructType)
		if ok && len(s.Fields.List) == 1 && len(s.Fields.List[0].Names) == 1 && s.Fields.List[0].Names[0].Name == contextField {
			end, err = s.Fields.Closing, nil
		}
		return false
	})
	return end, err
}

// checkUses fails if a function for Linux uses the netpoller's handle and is neither changed nor
// known not to need it: such a function would treat a reactor's socket as one that cannot be
// polled.
func checkUses(t *overlay.Tree, goarch string) error {
	harmless := []string{"func (pd *pollDesc) waitCanceled(mode int)"} // Windows only
	for _, in := range insertions {
		harmless = append(harmless, in.Func)
	}
	dir := t.Src(filepath.FromSlash(pollDir))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	target := build.Context{GOOS: "linux", GOARCH: goarch, Compiler: "gc", ReleaseTags: build.Default.ReleaseTags}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		built, err := target.MatchFile(dir, e.Name())
		if err != nil {
			return err
		}
		if !built {
			continue
		}
		if err := checkFile(filepath.Join(dir, e.Name()), harmless); err != nil {
			return err
		}
	}
	return nil
}

// checkFile is checkUses for a file.
func checkFile(name string, harmless []string) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if h := overlay.Header(fset, d); ok && uses(f, contextField) && !slices.Contains(harmless, h) {
			return fmt.Errorf("%s/%s has a new use of %s, in %s", pollDir, filepath.Base(name), contextField, h)
		}
	}
	return nil
}

// uses reports whether the function has a selector of the name.
func uses(f *ast.FuncDecl, name string) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		found = found || ok && sel.Sel.Name == name
		return !found
	})
	return found
}
