package check

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

// A use says what the code does with a value of net's type.
type use struct {
	methods []string // that it calls, sorted
	escapes bool     // it goes where only net's type fits
}

// closes reports whether the code half-closes or closes the connection.
func (u use) closes() bool {
	return slices.ContainsFunc(u.methods, func(m string) bool { return strings.HasPrefix(m, "Close") })
}

func (u *use) add(method string) {
	if i, found := slices.BinarySearch(u.methods, method); !found {
		u.methods = slices.Insert(u.methods, i, method)
	}
}

// usedDirectly is for an assertion with one result.
func (s *searcher) usedDirectly(cur inspector.Cursor) use {
	switch n := cur.Parent().Node().(type) {
	case *ast.ParenExpr:
		return s.usedDirectly(cur.Parent())
	case *ast.AssignStmt:
		if len(n.Lhs) == 1 {
			if v := s.object(n.Lhs[0]); v != nil {
				return s.usedVariable(cur, v)
			}
		}
	case *ast.ValueSpec:
		if len(n.Names) == 1 {
			return s.usedVariable(cur, s.object(n.Names[0]))
		}
	}
	var u use
	s.useAt(&u, cur)
	return u
}

// usedVariable collects the uses of v in the function around cur.
func (s *searcher) usedVariable(cur inspector.Cursor, v types.Object) use {
	var u use
	if v == nil {
		return u
	}
	x, ok := v.(*types.Var)
	if !ok || x.IsField() || x.Kind() == types.ResultVar {
		u.escapes = true
		return u
	}
	for f := range cur.Enclosing((*ast.FuncDecl)(nil)) {
		for id := range f.Preorder((*ast.Ident)(nil)) {
			if s.u.info.Uses[id.Node().(*ast.Ident)] == v {
				s.useAt(&u, id)
			}
		}
	}
	return u
}

// useAt adds what the code does with the value at cur.
func (s *searcher) useAt(u *use, cur inspector.Cursor) {
	e, _ := cur.Node().(ast.Expr)
	switch n := cur.Parent().Node().(type) {
	case *ast.SelectorExpr:
		if _, isFunc := s.u.info.Uses[n.Sel].(*types.Func); isFunc && n.X == e {
			u.add(n.Sel.Name)
			return
		}
	case *ast.BinaryExpr, *ast.ExprStmt:
		return // compared
	case *ast.ReturnStmt:
		if t := s.u.resultType(cur, slices.Index(n.Results, e)); t != nil && types.IsInterface(t) {
			return
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok {
			if v := s.u.variable(key); v != nil && v.IsField() && types.IsInterface(v.Type()) {
				return
			}
		}
	case *ast.CallExpr:
		if i := slices.Index(n.Args, e); i >= 0 && types.IsInterface(s.u.parameter(n, i)) {
			return
		}
	case *ast.AssignStmt:
		if i := slices.Index(n.Rhs, e); i >= 0 && len(n.Lhs) == len(n.Rhs) {
			if types.IsInterface(s.u.typeOf(n.Lhs[i])) {
				return
			}
		}
		if slices.Contains(n.Lhs, e) {
			return
		}
	}
	u.escapes = true
}

// resultType returns the type of result i of the function around cur, or nil.
func (u *unit) resultType(cur inspector.Cursor, i int) types.Type {
	for f := range cur.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		var sig *types.Signature
		switch f := f.Node().(type) {
		case *ast.FuncDecl:
			if fn, ok := u.info.Defs[f.Name].(*types.Func); ok {
				sig = fn.Signature()
			}
		case *ast.FuncLit:
			sig, _ = u.typeOf(f).(*types.Signature)
		}
		if sig != nil && i >= 0 && i < sig.Results().Len() {
			return sig.Results().At(i).Type()
		}
		return nil
	}
	return nil
}

// parameter returns the type of parameter i of a call; invalid if there is none.
func (u *unit) parameter(n *ast.CallExpr, i int) types.Type {
	sig, ok := types.Unalias(u.typeOf(n.Fun)).(*types.Signature)
	if !ok || sig.Params().Len() == 0 {
		return types.Typ[types.Invalid]
	}
	if last := sig.Params().Len() - 1; sig.Variadic() && i >= last {
		if slice, ok := sig.Params().At(last).Type().(*types.Slice); ok {
			return slice.Elem()
		}
		return types.Typ[types.Invalid]
	} else if i > last {
		return types.Typ[types.Invalid]
	}
	return sig.Params().At(i).Type()
}

// instead says what to write for x.(net's type).
func (s *searcher) instead(x ast.Expr, name string, sd side, u use) string {
	if !u.escapes {
		return text(x) + ".(" + s.caseInstead(x, sd, u) + ")"
	}
	if sd == connSide {
		write := "net.Conn or an interface in place of " + name
		if name == "*net.TCPConn" {
			write += "; or what (*netring.Conn).Detach returns"
		}
		return write
	}
	write := "net.Listener in place of " + name
	if methods, ok := s.interfaceOf(sd, u.methods); ok && len(u.methods) > 0 {
		write += ", and " + text(x) + ".(" + methods + ")"
	}
	if name == "*net.TCPListener" {
		write += "; set keep-alive in netring.ListenConfig"
	}
	return write
}

// caseInstead returns the type to assert: an interface with the methods used, if there
// are few and netring has them; else netring's type.
func (s *searcher) caseInstead(x ast.Expr, sd side, u use) string {
	if u.escapes || len(u.methods) == 0 || s.has(x, u.methods) {
		return netringType(sd)
	}
	if t, ok := s.interfaceOf(sd, u.methods); ok {
		return t
	}
	return netringType(sd)
}

// has reports whether x has all the methods without an assertion.
func (s *searcher) has(x ast.Expr, methods []string) bool {
	t := s.u.typeOf(x)
	for _, m := range methods {
		obj, _, _ := types.LookupFieldOrMethod(t, false, s.u.types, m)
		if _, ok := obj.(*types.Func); !ok {
			return false
		}
	}
	return true
}

// interfaceOf writes an interface with some methods of netring's type. It returns false if
// netring lacks one, if one returns a type of netring, or if they are many.
func (s *searcher) interfaceOf(sd side, methods []string) (string, bool) {
	if slices.Equal(methods, []string{"SyscallConn"}) {
		return "syscall.Conn", true
	}
	if len(methods) > 3 {
		return "", false
	}
	var decls []string
	for _, m := range methods {
		f := s.net.method(sd, m)
		if f == nil {
			return "", false
		}
		sig := types.TypeString(f.Type(), func(p *types.Package) string { return p.Name() })
		if strings.Contains(sig, "netring.") { // AcceptTCP
			return "", false
		}
		decls = append(decls, m+strings.TrimPrefix(sig, "func"))
	}
	return "interface{ " + strings.Join(decls, "; ") + " }", true
}
