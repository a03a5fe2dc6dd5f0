package check

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// An outcome is what the code does with a value that has none of net's types.
type outcome struct {
	class Class
	why   string
}

// A branch follows the statements that run when a test of x fails.
type branch struct {
	*program
	u       *unit
	x       ast.Expr     // the value that is tested
	side    side         // netring's type that x may hold instead
	results []*ast.Field // of the function around

	closing bool // the test is about closing x

	failed map[types.Object]string // error variables that were set, and to what
	closed bool                    // x was closed
	logged string                  // what was logged as an error
}

func (p *program) branch(u *unit, cur inspector.Cursor, x ast.Expr, s side) *branch {
	b := &branch{program: p, u: u, x: x, side: s, failed: make(map[types.Object]string)}
	for f := range cur.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		var typ *ast.FuncType
		switch f := f.Node().(type) {
		case *ast.FuncDecl:
			typ = f.Type
		case *ast.FuncLit:
			typ = f.Type
		}
		if typ.Results != nil {
			b.results = typ.Results.List
		}
		break
	}
	return b
}

// follow runs through a list of statements. It returns true with what the list ends
// in, or false if the list runs to its end.
func (b *branch) follow(list []ast.Stmt) (outcome, bool) {
	for _, s := range list {
		if o, done := b.stmt(s); done {
			return o, true
		}
	}
	return outcome{}, false
}

func (b *branch) stmt(s ast.Stmt) (outcome, bool) {
	switch s := s.(type) {
	case *ast.BlockStmt:
		return b.follow(s.List)
	case *ast.LabeledStmt:
		return b.stmt(s.Stmt)
	case *ast.ReturnStmt:
		return b.returns(s), true
	case *ast.BranchStmt:
		return b.leave(s.Tok.String() + "s"), true
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok {
			return b.call(call)
		}
	case *ast.AssignStmt:
		return b.assign(s)
	case *ast.IfStmt:
		return b.ifStmt(s)
	case *ast.TypeSwitchStmt:
		if b.same(switched(s)) {
			return b.clauses(s)
		}
	}
	return outcome{}, false
}

// end is the outcome of a path that runs to its end, or leaves without a result.
func (b *branch) end(otherwise string) outcome {
	for _, what := range b.failed {
		return outcome{Fails, "sets an error: " + what}
	}
	if b.closed && b.closing {
		return outcome{Silent, "closes both directions"}
	}
	if b.closed {
		return outcome{Fails, "closes it"}
	}
	if b.logged != "" {
		return outcome{Fails, "logs an error: " + b.logged}
	}
	return outcome{Silent, otherwise}
}

// leave is the outcome of a path that returns, breaks or continues without an error.
func (b *branch) leave(how string) outcome { return b.end(how + " without an error") }

func (b *branch) returns(s *ast.ReturnStmt) outcome {
	for _, r := range s.Results {
		if what := b.failure(r); what != "" {
			return outcome{Fails, "returns an error: " + what}
		}
	}
	if len(s.Results) == 0 {
		for _, field := range b.results {
			for _, name := range field.Names {
				if what := b.failed[b.u.info.Defs[name]]; what != "" {
					return outcome{Fails, "returns an error: " + what}
				}
			}
		}
	}
	for _, r := range s.Results {
		if tv := b.u.info.Types[r]; tv.Value != nil && tv.Value.String() == "false" {
			return b.end("returns false")
		}
	}
	if len(s.Results) == 1 && !b.u.info.Types[s.Results[0]].IsNil() {
		return b.end("returns " + b.text(s.Results[0]))
	}
	return b.leave("returns")
}

// errorMaker matches the names of functions that make errors.
var errorMaker = regexp.MustCompile(`(?i)(err|fail|bad|invalid|unsupported|illegal)`)

// failure returns the text of e if e is an error that is not nil.
func (b *branch) failure(e ast.Expr) string {
	e = ast.Unparen(e)
	tv := b.u.info.Types[e]
	if tv.Type == nil || tv.IsNil() || !types.Implements(tv.Type, b.net.err) {
		return ""
	}
	switch e := e.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		var id *ast.Ident
		if sel, ok := e.(*ast.SelectorExpr); ok {
			id = sel.Sel
		} else {
			id = e.(*ast.Ident)
		}
		obj := b.u.info.Uses[id]
		if what := b.failed[obj]; what != "" {
			return what
		}
		if obj != nil && obj.Pkg() != nil && obj.Parent() == obj.Pkg().Scope() { // ErrX, EX
			return b.text(e)
		}
	case *ast.CallExpr:
		if b.u.info.Types[e.Fun].IsType() && len(e.Args) == 1 && types.IsInterface(tv.Type) {
			return b.failure(e.Args[0])
		}
		if b.u.info.Types[e.Fun].IsType() { // SomeError("text")
			return b.text(e)
		}
		fn := b.u.callee(e)
		if fn != nil && (errorMaker.MatchString(fn.Name()) ||
			fn.Pkg() != nil && errorMaker.MatchString(fn.Pkg().Name())) {
			return b.text(e)
		}
	case *ast.CompositeLit, *ast.UnaryExpr, *ast.BasicLit: // SomeError{…}, &SomeError{…}
		return b.text(e)
	}
	return ""
}

// endsProcess matches functions that do not return; logsError those that log an error.
var (
	endsProcess = regexp.MustCompile(`^(Fatal|Panic|Exit)`)
	logsError   = regexp.MustCompile(`^(Error|Critical|Err$)`)
)

func (b *branch) call(e *ast.CallExpr) (outcome, bool) {
	if id, ok := ast.Unparen(e.Fun).(*ast.Ident); ok {
		if _, ok := b.u.info.Uses[id].(*types.Builtin); ok && id.Name == "panic" {
			return outcome{Fails, "panics: " + b.text(e)}, true
		}
	}
	sel, ok := ast.Unparen(e.Fun).(*ast.SelectorExpr)
	if !ok {
		return outcome{}, false
	}
	switch name := sel.Sel.Name; {
	case endsProcess.MatchString(name):
		return outcome{Fails, "ends the program: " + b.text(e)}, true
	case logsError.MatchString(name):
		b.logged = b.text(e)
	case name == "Close" && b.same(sel.X):
		b.closed = true
	}
	return outcome{}, false
}

// assign notes errors that are set, and later assertions of the same value.
func (b *branch) assign(s *ast.AssignStmt) (outcome, bool) {
	for i, r := range s.Rhs {
		if t := b.tests(r); t != nil {
			return outcome{Works, "tries " + b.typeText(t) + " next, which netring's type has"}, true
		}
		if len(s.Lhs) != len(s.Rhs) {
			continue
		}
		if what := b.failure(r); what != "" {
			if id, ok := s.Lhs[i].(*ast.Ident); ok {
				b.failed[b.u.info.ObjectOf(id)] = what
			}
		}
	}
	return outcome{}, false
}

// tests returns the type that e asserts x to have, if netring's type has it.
func (b *branch) tests(e ast.Expr) types.Type {
	a, ok := ast.Unparen(e).(*ast.TypeAssertExpr)
	if !ok || a.Type == nil || !b.same(a.X) {
		return nil
	}
	if t := b.u.typeOf(a.Type); b.net.holds(t, b.side) {
		return t
	}
	return nil
}

// ifStmt follows a test of the same value. Other conditions say nothing about it.
func (b *branch) ifStmt(s *ast.IfStmt) (outcome, bool) {
	init, ok := s.Init.(*ast.AssignStmt)
	if !ok || len(init.Rhs) != 1 || len(init.Lhs) != 2 {
		return outcome{}, false
	}
	a, ok := ast.Unparen(init.Rhs[0]).(*ast.TypeAssertExpr)
	if !ok || !b.same(a.X) {
		return outcome{}, false
	}
	if o, done := b.assign(init); done {
		return o, true
	}
	if id, ok := init.Lhs[1].(*ast.Ident); ok && b.u.truth(s.Cond, b.u.info.ObjectOf(id), nil) == no {
		if s.Else != nil {
			return b.stmt(s.Else)
		}
		return outcome{}, false
	}
	return b.follow(s.Body.List)
}

// clauses follows a type switch of the same value.
func (b *branch) clauses(s *ast.TypeSwitchStmt) (outcome, bool) {
	var fallback *ast.CaseClause
	for _, c := range s.Body.List {
		c := c.(*ast.CaseClause)
		if c.List == nil {
			fallback = c
		}
		for _, e := range c.List {
			if t := b.u.typeOf(e); b.net.holds(t, b.side) {
				return outcome{Works, "case " + b.text(e) + " takes netring's type"}, true
			}
		}
	}
	if fallback == nil {
		return outcome{}, false
	}
	return b.follow(fallback.Body)
}

// same reports whether e is written like x and starts at the same variable.
func (b *branch) same(e ast.Expr) bool { return b.u.same(b.x, e) }

func (u *unit) same(x, y ast.Expr) bool {
	if x == nil || y == nil {
		return false
	}
	x, y = ast.Unparen(x), ast.Unparen(y)
	if types.ExprString(x) == types.ExprString(y) && u.root(x) == u.root(y) {
		return true
	}
	// The variable of a type switch is the same value as what it switches on.
	if id, ok := y.(*ast.Ident); ok {
		if v, ok := u.info.ObjectOf(id).(*types.Var); ok && u.clauseOf[v] != nil {
			return u.same(x, u.clauseOf[v])
		}
	}
	return false
}

// root returns the variable at which a selector expression starts.
func (u *unit) root(e ast.Expr) types.Object {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.Ident:
			return u.info.ObjectOf(x)
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.CallExpr:
			e = x.Fun
		default:
			return nil
		}
	}
}

// A truth is the value of a condition when a test has failed.
type truth int8

const (
	unknown truth = iota
	yes
	no
)

// truth evaluates cond with ok false and v nil.
func (u *unit) truth(cond ast.Expr, ok, v types.Object) truth {
	is := func(e ast.Expr, obj types.Object) bool {
		id, isIdent := ast.Unparen(e).(*ast.Ident)
		return isIdent && obj != nil && u.info.Uses[id] == obj
	}
	switch c := ast.Unparen(cond).(type) {
	case *ast.Ident:
		if is(c, ok) {
			return no
		}
	case *ast.UnaryExpr:
		if c.Op == token.NOT {
			switch u.truth(c.X, ok, v) {
			case yes:
				return no
			case no:
				return yes
			}
		}
	case *ast.BinaryExpr:
		x, y := u.truth(c.X, ok, v), u.truth(c.Y, ok, v)
		switch c.Op {
		case token.LAND:
			if x == no || y == no {
				return no
			}
			if x == yes && y == yes {
				return yes
			}
		case token.LOR:
			if x == yes || y == yes {
				return yes
			}
			if x == no && y == no {
				return no
			}
		case token.EQL, token.NEQ:
			isNil := is(c.X, v) && u.info.Types[c.Y].IsNil() || is(c.Y, v) && u.info.Types[c.X].IsNil()
			if isNil && c.Op == token.EQL {
				return yes
			}
			if isNil {
				return no
			}
		}
	}
	return unknown
}

// mentions reports whether n uses one of the objects.
func (u *unit) mentions(n ast.Node, objs ...types.Object) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			for _, obj := range objs {
				found = found || obj != nil && u.info.Uses[id] == obj
			}
		}
		return !found
	})
	return found
}

// text is the source of e on one line.
func (b *branch) text(e ast.Expr) string { return text(e) }

func text(e ast.Expr) string { return shorten(types.ExprString(e)) }

func (b *branch) typeText(t types.Type) string {
	return shorten(types.TypeString(t, types.RelativeTo(b.u.types)))
}

// shorten cuts a text to what fits in a line.
func shorten(s string) string {
	const most = 90
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// following returns the statements after the one at cur in its list. For the else of
// an if statement, these are the statements after the outermost if.
func following(cur inspector.Cursor) []ast.Stmt {
	kind, i := cur.ParentEdge()
	parent := cur.Parent()
	switch n := parent.Node().(type) {
	case *ast.BlockStmt:
		if kind == edge.BlockStmt_List {
			return n.List[i+1:]
		}
	case *ast.CaseClause:
		if kind == edge.CaseClause_Body {
			return n.Body[i+1:]
		}
	case *ast.CommClause:
		if kind == edge.CommClause_Body {
			return n.Body[i+1:]
		}
	case *ast.IfStmt:
		if kind == edge.IfStmt_Else {
			return following(parent)
		}
	case *ast.LabeledStmt:
		return following(parent)
	}
	return nil
}

// leaves reports whether a list of statements never runs to its end.
func leaves(list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch s := list[len(list)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	case *ast.BlockStmt:
		return leaves(s.List)
	case *ast.IfStmt:
		els, ok := s.Else.(*ast.BlockStmt)
		return ok && leaves(s.Body.List) && leaves(els.List)
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		switch f := ast.Unparen(call.Fun).(type) {
		case *ast.Ident:
			return f.Name == "panic"
		case *ast.SelectorExpr:
			return endsProcess.MatchString(f.Sel.Name)
		}
	}
	return false
}
