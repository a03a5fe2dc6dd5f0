package check

import (
	"go/ast"
	"go/token"
	"go/types"
)

// A def is an expression that a variable is set to; i selects a result of a call.
type def struct {
	unit *unit
	expr ast.Expr
	i    int
}

// An index says how the variables and functions of all units get their values.
type index struct {
	defs   map[*types.Var][]def
	open   map[*types.Var]bool    // set in a way that defs does not have
	params map[*types.Var]paramOf // of plain unexported functions
	calls  map[*types.Func][]callSite
	values map[*types.Func]bool // functions that are used other than by calling them
	funcs  map[*types.Func]funcDecl
}

type paramOf struct {
	fn *types.Func
	i  int
}

type callSite struct {
	unit *unit
	call *ast.CallExpr
}

type funcDecl struct {
	unit *unit
	decl *ast.FuncDecl
}

func newIndex(units []*unit) *index {
	x := &index{
		defs:   make(map[*types.Var][]def),
		open:   make(map[*types.Var]bool),
		params: make(map[*types.Var]paramOf),
		calls:  make(map[*types.Func][]callSite),
		values: make(map[*types.Func]bool),
		funcs:  make(map[*types.Func]funcDecl),
	}
	for _, u := range units {
		b := indexer{index: x, unit: u, callees: make(map[*ast.Ident]bool)}
		for _, f := range u.files {
			ast.Inspect(f, b.node)
		}
		for id, obj := range u.info.Uses {
			if fn, ok := obj.(*types.Func); ok && !b.callees[id] {
				x.values[fn] = true
			}
		}
	}
	return x
}

// An indexer adds one unit to an index.
type indexer struct {
	*index
	unit    *unit
	callees map[*ast.Ident]bool
}

func (b *indexer) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		b.assign(n.Lhs, n.Rhs)
	case *ast.ValueSpec:
		if len(n.Values) > 0 {
			lhs := make([]ast.Expr, len(n.Names))
			for i, name := range n.Names {
				lhs[i] = name
			}
			b.assign(lhs, n.Values)
		}
	case *ast.RangeStmt:
		b.opened(n.Key)
		b.opened(n.Value)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			b.opened(n.X)
		}
	case *ast.FuncDecl:
		b.function(n)
	case *ast.FuncLit:
		b.literal(n)
	case *ast.CallExpr:
		b.call(n)
	case *ast.CompositeLit:
		b.composite(n)
	case *ast.TypeSwitchStmt:
		b.typeSwitch(n)
	}
	return true
}

// variable returns the variable or field that e names, or nil.
func (u *unit) variable(e ast.Expr) *types.Var {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, _ := u.info.ObjectOf(e).(*types.Var)
		return v
	case *ast.SelectorExpr:
		v, _ := u.info.ObjectOf(e.Sel).(*types.Var)
		if v != nil {
			v = v.Origin()
		}
		return v
	}
	return nil
}

func (b *indexer) define(v *types.Var, e ast.Expr, i int) {
	if v != nil {
		b.defs[v] = append(b.defs[v], def{b.unit, e, i})
	}
}

// opened records that e's value may change where the index does not look.
func (b *indexer) opened(e ast.Expr) {
	if e == nil {
		return
	}
	if v := b.unit.variable(e); v != nil {
		b.open[v] = true
	}
}

func (b *indexer) assign(lhs, rhs []ast.Expr) {
	for i, l := range lhs {
		v := b.unit.variable(l)
		if len(lhs) == len(rhs) {
			b.define(v, rhs[i], 0)
		} else {
			b.define(v, rhs[0], i)
		}
	}
}

func (b *indexer) function(n *ast.FuncDecl) {
	fn, _ := b.unit.info.Defs[n.Name].(*types.Func)
	if fn == nil {
		return
	}
	b.funcs[fn] = funcDecl{b.unit, n}
	sig := fn.Signature()
	followed := sig.Recv() == nil && !fn.Exported() && !sig.Variadic()
	for i := range sig.Params().Len() {
		if v := sig.Params().At(i); followed {
			b.params[v] = paramOf{fn, i}
		} else {
			b.open[v] = true
		}
	}
}

// literal opens the parameters of a function literal; those of a literal that is
// called where it stands are the arguments.
func (b *indexer) literal(n *ast.FuncLit) {
	sig, _ := b.unit.typeOf(n).(*types.Signature)
	if sig == nil {
		return
	}
	for v := range sig.Params().Variables() {
		if _, ok := b.defs[v]; !ok {
			b.open[v] = true
		}
	}
}

func (b *indexer) call(n *ast.CallExpr) {
	switch fun := ast.Unparen(n.Fun).(type) {
	case *ast.Ident:
		b.callees[fun] = true
		if fn, ok := b.unit.info.Uses[fun].(*types.Func); ok {
			b.calls[fn] = append(b.calls[fn], callSite{b.unit, n})
		}
	case *ast.SelectorExpr:
		b.callees[fun.Sel] = true
	case *ast.FuncLit:
		sig, _ := b.unit.typeOf(fun).(*types.Signature)
		if sig == nil || sig.Variadic() || sig.Params().Len() != len(n.Args) {
			return
		}
		for i, arg := range n.Args {
			b.define(sig.Params().At(i), arg, 0)
		}
	}
}

func (b *indexer) composite(n *ast.CompositeLit) {
	t := b.unit.typeOf(n)
	if ptr, ok := t.Underlying().(*types.Pointer); ok { // an element &T{} written {}
		t = ptr.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok {
				b.define(b.unit.variable(key), kv.Value, 0)
			}
		} else if i < s.NumFields() {
			b.define(s.Field(i).Origin(), e, 0)
		}
	}
}

// typeSwitch sets the variable of each clause to the value that the switch looks at.
func (b *indexer) typeSwitch(n *ast.TypeSwitchStmt) {
	x := switched(n)
	for _, s := range n.Body.List {
		if v, ok := b.unit.info.Implicits[s].(*types.Var); ok {
			b.define(v, x, 0)
			b.unit.clauseOf[v] = x
		}
	}
}

// switched returns the x of switch v := x.(type).
func switched(n *ast.TypeSwitchStmt) ast.Expr {
	var e ast.Expr
	switch s := n.Assign.(type) {
	case *ast.ExprStmt:
		e = s.X
	case *ast.AssignStmt:
		e = s.Rhs[0]
	}
	if t, ok := ast.Unparen(e).(*ast.TypeAssertExpr); ok {
		return t.X
	}
	return e
}
