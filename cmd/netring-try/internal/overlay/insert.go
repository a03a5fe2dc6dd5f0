package overlay

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
)

// Insertion is a statement to insert into a function of the standard library.
type Insertion struct {
	File   string   // below GOROOT/src
	Func   string   // the function's declaration without its body, as gofmt prints it
	After  []string // methods that the statements before the insertion call
	Before string   // the method that the statement after it calls; "": it is the first statement
	Text   string   // the statement
}

// Insert returns the Layer that makes the insertions. It fails if a function does not look as
// expected. All line numbers stay as they are.
func Insert(insertions ...Insertion) Layer {
	return func(t *Tree) error {
		for _, in := range insertions {
			if err := in.into(t); err != nil {
				return fmt.Errorf("%s %w", in.File, err)
			}
		}
		return nil
	}
}

func (in Insertion) into(t *Tree) error {
	name := t.Src(filepath.FromSlash(in.File))
	src, err := t.Read(name)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("cannot be parsed: %w", err)
	}
	i := slices.IndexFunc(file.Decls, func(d ast.Decl) bool { return Header(fset, d) == in.Func })
	if i < 0 {
		return fmt.Errorf("has no declaration %s", in.Func)
	}
	at, err := in.place(file.Decls[i].(*ast.FuncDecl).Body)
	if err != nil {
		return fmt.Errorf("has an unknown %s: %w", in.Func, err)
	}
	t.Write(name, Splice(src, fset.Position(at).Offset, " "+in.Text+"; "))
	return nil
}

// Header returns the declaration of a function without its body, or "" for other declarations.
func Header(fset *token.FileSet, d ast.Decl) string {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Body == nil {
		return ""
	}
	var b bytes.Buffer
	if err := format.Node(&b, fset, &ast.FuncDecl{Recv: f.Recv, Name: f.Name, Type: f.Type}); err != nil {
		return ""
	}
	return b.String()
}

// place returns where in the body the statement goes.
func (in Insertion) place(body *ast.BlockStmt) (token.Pos, error) {
	if in.Before == "" {
		return body.Lbrace + 1, nil
	}
	callers := func(list []ast.Stmt, method string) (found []int) {
		for i, s := range list {
			if calls(s, method) {
				found = append(found, i)
			}
		}
		return found
	}
	at := callers(body.List, in.Before)
	if len(at) != 1 {
		return 0, fmt.Errorf("%d statements call %s, and one should", len(at), in.Before)
	}
	for _, method := range in.After {
		if len(callers(body.List[:at[0]], method)) == 0 {
			return 0, fmt.Errorf("it should call %s before %s", method, in.Before)
		}
	}
	return body.List[at[0]].Pos(), nil
}

// calls reports whether the node has a call of a method of this name.
func calls(n ast.Node, method string) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			sel, ok := call.Fun.(*ast.SelectorExpr)
			found = found || ok && sel.Sel.Name == method
		}
		return !found
	})
	return found
}

// Splice returns src with a text inserted at the offset.
func Splice(src []byte, at int, text string) []byte {
	return slices.Concat(src[:at], []byte(text), src[at:])
}
