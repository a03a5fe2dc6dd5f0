package check

import (
	"go/ast"
	"go/token"
	"go/types"
)

// A maker is a call into package net that made a value.
type maker struct {
	pos  token.Pos
	name string // such as net.Listen
	side side   // what netring's counterpart makes; 0 if it has none
	own  bool   // in a module that the user edits
}

// A source says where a value comes from.
type source struct {
	open   bool // from code that may be given netring's types
	makers []maker
}

func (s *source) add(t source) {
	s.open = s.open || t.open
	s.makers = append(s.makers, t.makers...)
}

var (
	fromAnywhere = source{open: true}
	fromNet      = source{}
)

// counterparts are the functions and methods of package net that netring has, too,
// and the side of what they return.
var counterparts = map[string]side{
	"net.Listen":              listenerSide,
	"net.ListenTCP":           listenerSide,
	"net.ListenUnix":          listenerSide,
	"net.FileListener":        listenerSide,
	"net.ListenConfig.Listen": listenerSide,
	"net.Dial":                connSide,
	"net.DialTimeout":         connSide,
	"net.DialTCP":             connSide,
	"net.DialUnix":            connSide,
	"net.FileConn":            connSide,
	"net.Dialer.Dial":         connSide,
	"net.Dialer.DialContext":  connSide,
}

// origin follows e, or its result i, to where its value is made. It looks at all
// assignments to local variables and unexported fields, at what functions with a known
// body return, and at the arguments of unexported functions. What it cannot follow is
// open.
func (p *program) origin(u *unit, e ast.Expr, i int) source {
	t := tracer{program: p, seen: make(map[visit]bool)}
	return t.expr(u, e, i)
}

type tracer struct {
	*program
	seen map[visit]bool

	// accept is empty if the tracer follows a value. Else, it is the method of the value
	// whose result is followed: Accept, AcceptTCP or AcceptUnix.
	accept string
}

// A visit is a variable, or a result of a function, that a tracer has been at.
type visit struct {
	of     types.Object
	i      int
	accept string
}

func (t *tracer) expr(u *unit, e ast.Expr, i int) source {
	e = ast.Unparen(e)
	typ := u.typeOf(e)
	if tuple, ok := typ.(*types.Tuple); ok && i < tuple.Len() {
		typ = tuple.At(i).Type()
	}
	if typ == types.Typ[types.Invalid] {
		return fromAnywhere
	}
	if !types.IsInterface(typ) {
		return t.concrete(u, e, i, typ)
	}
	switch e := e.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		if tv := u.info.Types[e]; tv.IsNil() {
			return fromNet
		}
		if v := u.variable(e); v != nil {
			return t.variable(v)
		}
	case *ast.TypeAssertExpr:
		return t.expr(u, e.X, 0)
	case *ast.CallExpr:
		if u.info.Types[e.Fun].IsType() && len(e.Args) == 1 {
			return t.expr(u, e.Args[0], 0)
		}
		return t.call(u, e, i)
	}
	return fromAnywhere
}

// concrete is for values whose static type is known: they are not netring's, but
// net's own may become so when the call that makes them changes.
func (t *tracer) concrete(u *unit, e ast.Expr, i int, typ types.Type) source {
	if path, _ := named(typ); path == netringPath {
		return fromAnywhere
	}
	if name, _ := concrete(typ); name == "" {
		if t.accept != "" {
			return t.acceptedBy(typ)
		}
		return fromNet
	}
	var s source
	switch e := e.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		if v := u.variable(e); v != nil {
			s = t.variable(v)
		}
	case *ast.CallExpr:
		if !u.info.Types[e.Fun].IsType() {
			s = t.call(u, e, i)
		}
	}
	s.open = false
	return s
}

func (t *tracer) variable(v *types.Var) source {
	at := visit{v, 0, t.accept}
	if t.seen[at] {
		return fromNet
	}
	t.seen[at] = true
	x := t.index
	global := v.IsField() || v.Pkg() != nil && v.Parent() == v.Pkg().Scope()
	if x.open[v] || global && (v.Exported() || v.Embedded() || len(x.defs[v]) == 0) {
		return fromAnywhere
	}
	var s source
	for _, d := range x.defs[v] {
		s.add(t.expr(d.unit, d.expr, d.i))
	}
	if of, ok := x.params[v]; ok {
		s.add(t.arguments(of))
	}
	return s
}

// arguments is for the parameter of a plain function that only its package calls.
func (t *tracer) arguments(of paramOf) source {
	calls := t.index.calls[of.fn]
	if t.index.values[of.fn] || len(calls) == 0 {
		return fromAnywhere
	}
	var s source
	for _, c := range calls {
		if of.i >= len(c.call.Args) { // f(g()) with a g of many results
			s.add(t.expr(c.unit, c.call.Args[0], of.i))
		} else if len(c.call.Args) == 1 {
			s.add(t.expr(c.unit, c.call.Args[0], of.i))
		} else {
			s.add(t.expr(c.unit, c.call.Args[of.i], 0))
		}
	}
	return s
}

func (t *tracer) call(u *unit, e *ast.CallExpr, i int) source {
	fn := u.callee(e)
	if fn == nil {
		return fromAnywhere
	}
	sel, _ := ast.Unparen(e.Fun).(*ast.SelectorExpr)
	recv := fn.Signature().Recv()
	if recv != nil && sel != nil && (fn.Name() == "Accept" || fn.Name() == "AcceptTCP" || fn.Name() == "AcceptUnix") &&
		(types.IsInterface(recv.Type()) || fn.Pkg().Path() == "net") {
		from := tracer{t.program, t.seen, fn.Name()}
		return from.expr(u, sel.X, 0)
	}
	if fn.Pkg() != nil && fn.Pkg().Path() == "net" && (recv == nil || !types.IsInterface(recv.Type())) {
		name := qualified(fn)
		return t.made(maker{e.Pos(), name, counterparts[name], u.own})
	}
	if d, ok := t.index.funcs[fn.Origin()]; ok && d.decl.Body != nil {
		return t.returned(fn.Origin(), d, i)
	}
	return fromAnywhere
}

// made is the source of what m makes, or of a connection that it accepts.
func (t *tracer) made(m maker) source {
	if t.accept != "" && m.side == listenerSide {
		m.side = connSide
	} else if t.accept != "" {
		m.side = 0
	}
	return source{makers: []maker{m}}
}

// acceptedBy is the source of the connections that a listener of type typ accepts.
func (t *tracer) acceptedBy(typ types.Type) source {
	obj, _, _ := types.LookupFieldOrMethod(typ, true, nil, t.accept)
	fn, ok := obj.(*types.Func)
	if !ok {
		return fromAnywhere
	}
	if name, _ := concrete(fn.Signature().Recv().Type()); name != "" { // typ embeds it
		outer, _ := types.Unalias(typ).(*types.Named)
		if ptr, ok := types.Unalias(typ).(*types.Pointer); ok {
			outer, _ = types.Unalias(ptr.Elem()).(*types.Named)
		}
		if outer == nil {
			return fromAnywhere
		}
		in := outer.Obj()
		return t.made(maker{in.Pos(), "the listener in " + in.Name(), listenerSide, t.own[in.Pkg()]})
	}
	if d, ok := t.index.funcs[fn.Origin()]; ok && d.decl.Body != nil {
		value := tracer{program: t.program, seen: t.seen}
		return value.returned(fn.Origin(), d, 0)
	}
	return fromAnywhere
}

// returned is for result i of a function whose body is known.
func (t *tracer) returned(fn *types.Func, d funcDecl, i int) source {
	at := visit{fn, i, t.accept}
	if t.seen[at] {
		return fromNet
	}
	t.seen[at] = true
	n := fn.Signature().Results().Len()
	var s source
	ast.Inspect(d.decl.Body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			switch len(node.Results) {
			case 0:
				s.add(t.variable(fn.Signature().Results().At(i)))
			case n:
				s.add(t.expr(d.unit, node.Results[i], 0))
			default:
				s.add(t.expr(d.unit, node.Results[0], i))
			}
		}
		return true
	})
	return s
}

// typeOf returns the type of e; in code with errors, it can be invalid.
func (u *unit) typeOf(e ast.Expr) types.Type {
	if t := u.info.TypeOf(e); t != nil {
		return t
	}
	return types.Typ[types.Invalid]
}

// callee returns the function or method that e calls, or nil for function values.
func (u *unit) callee(e *ast.CallExpr) *types.Func {
	fun := ast.Unparen(e.Fun)
	switch f := fun.(type) { // instantiation
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	var id *ast.Ident
	switch f := fun.(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	default:
		return nil
	}
	fn, _ := u.info.Uses[id].(*types.Func)
	return fn
}

// qualified names a function as net.Listen and a method as net.Dialer.Dial.
func qualified(fn *types.Func) string {
	name := fn.Name()
	if recv := fn.Signature().Recv(); recv != nil {
		_, typ := named(recv.Type())
		name = typ + "." + name
	}
	if fn.Pkg() != nil {
		name = fn.Pkg().Name() + "." + name
	}
	return name
}
