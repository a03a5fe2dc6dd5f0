package check

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// A searcher applies the rules to one unit.
type searcher struct {
	*program
	u        *unit
	findings []Finding
}

func (p *program) search(u *unit) []Finding {
	s := &searcher{program: p, u: u}
	for cur := range inspector.New(u.files).Root().Preorder(
		(*ast.TypeAssertExpr)(nil), (*ast.TypeSwitchStmt)(nil), (*ast.CallExpr)(nil), (*ast.SelectorExpr)(nil),
		(*ast.FuncType)(nil), (*ast.StructType)(nil), (*ast.CompositeLit)(nil),
	) {
		switch n := cur.Node().(type) {
		case *ast.TypeAssertExpr:
			s.assertion(cur, n)
		case *ast.TypeSwitchStmt:
			s.typeSwitch(cur, n)
		case *ast.CallExpr:
			s.call(cur, n)
		case *ast.SelectorExpr:
			s.methodExpr(cur, n)
		case *ast.FuncType:
			s.fields(cur, n.Params, kindParameter)
		case *ast.StructType:
			s.fields(cur, n.Fields, kindField)
		case *ast.CompositeLit:
			s.composite(cur, n)
		}
	}
	return s.findings
}

func (s *searcher) report(cur inspector.Cursor, pos token.Pos, f Finding) {
	at := s.fset.Position(pos)
	f.Package = s.u.PkgPath
	f.File = s.file(s.u, pos)
	f.Line, f.Column = at.Line, at.Column
	f.Function = function(cur)
	s.findings = append(s.findings, f)
}

// function names the declared function around cur.
func function(cur inspector.Cursor) string {
	for c := range cur.Enclosing((*ast.FuncDecl)(nil)) {
		decl := c.Node().(*ast.FuncDecl)
		if decl.Recv == nil || len(decl.Recv.List) == 0 {
			return decl.Name.Name
		}
		return types.ExprString(decl.Recv.List[0].Type) + "." + decl.Name.Name
	}
	return ""
}

// assertion is x.(*net.TCPConn).
func (s *searcher) assertion(cur inspector.Cursor, e *ast.TypeAssertExpr) {
	if e.Type == nil { // of a type switch
		return
	}
	name, sd := concrete(s.u.typeOf(e.Type))
	if name == "" {
		return
	}
	f := Finding{Kind: kindAssertion, Code: text(e)}
	var o outcome
	var used use
	if stmt, lhs := commaOK(cur, e); lhs == nil {
		used = s.usedDirectly(cur)
		o = outcome{Fails, "panics"}
		if line := s.guard(cur, e); line > 0 {
			o = outcome{Works, "the test at line " + strconv.Itoa(line) + " has the same type"}
		}
	} else {
		v := s.object(lhs[0])
		used = s.usedVariable(cur, v)
		b := s.branch(s.u, cur, e.X, sd)
		b.closing = used.closes()
		o = s.failing(b, stmt, v, s.object(lhs[1]))
	}
	o = s.reached(o, e.X, sd)
	f.Class, f.Why = o.class, o.why
	if o.class != Works {
		f.Write = s.instead(e.X, name, sd, used)
	}
	s.report(cur, e.Pos(), f)
}

// commaOK returns the statement and the two variables of v, ok := x.(T), or nil.
func commaOK(cur inspector.Cursor, e *ast.TypeAssertExpr) (inspector.Cursor, []ast.Expr) {
	p := cur.Parent()
	for {
		if _, ok := p.Node().(*ast.ParenExpr); !ok {
			break
		}
		p = p.Parent()
	}
	switch n := p.Node().(type) {
	case *ast.AssignStmt:
		if len(n.Lhs) == 2 && len(n.Rhs) == 1 {
			return p, n.Lhs
		}
	case *ast.ValueSpec:
		if len(n.Names) == 2 && len(n.Values) == 1 {
			for stmt := range p.Enclosing((*ast.DeclStmt)(nil)) {
				return stmt, []ast.Expr{n.Names[0], n.Names[1]}
			}
			return p, []ast.Expr{n.Names[0], n.Names[1]}
		}
	}
	return p, nil
}

// object returns the variable of an identifier; nil for the blank one.
func (s *searcher) object(e ast.Expr) types.Object {
	if id, ok := e.(*ast.Ident); ok && id.Name != "_" {
		return s.u.info.ObjectOf(id)
	}
	return nil
}

// failing returns what happens when the assertion in stmt fails.
func (s *searcher) failing(b *branch, stmt inspector.Cursor, v, ok types.Object) outcome {
	if kind, _ := stmt.ParentEdge(); kind == edge.IfStmt_Init {
		return s.decide(b, stmt.Parent(), v, ok)
	}
	list := following(stmt)
	for i, next := range list {
		if !s.u.mentions(next, ok, v) {
			if ret, isReturn := next.(*ast.ReturnStmt); isReturn {
				return s.forgotten(b, ret, ok)
			}
			continue
		}
		if ifs, isIf := next.(*ast.IfStmt); isIf && s.u.mentions(ifs.Cond, ok, v) {
			cur, found := stmt.Parent().FindNode(ifs)
			if found {
				return s.decide(b, cur, v, ok)
			}
		}
		if ok == nil { // v, _ := x.(T)
			return s.nilPointer(list[i:], v)
		}
		if s.u.mentions(next, ok) {
			if _, isReturn := next.(*ast.ReturnStmt); isReturn {
				return outcome{Silent, "returns " + ok.Name() + " false"}
			}
			return outcome{Silent, "goes on with " + ok.Name() + " false"}
		}
	}
	return outcome{Silent, "goes on without it"}
}

// forgotten is a return before anybody looked at ok: a named result, most often.
func (s *searcher) forgotten(b *branch, ret *ast.ReturnStmt, ok types.Object) outcome {
	if len(ret.Results) == 0 && ok != nil {
		return outcome{Silent, "returns " + ok.Name() + " false"}
	}
	return b.returns(ret)
}

// nilPointer is v, _ := x.(T), after which v is used without a test. The methods of
// net's types return EINVAL for a nil pointer.
func (s *searcher) nilPointer(list []ast.Stmt, v types.Object) outcome {
	for _, stmt := range list {
		if e, ok := stmt.(*ast.ExprStmt); ok && s.u.mentions(e, v) {
			continue
		}
		if a, ok := stmt.(*ast.AssignStmt); ok && blank(a.Lhs) {
			continue
		}
		if s.u.mentions(stmt, v) {
			return outcome{Fails, "uses a nil pointer, whose methods return EINVAL"}
		}
	}
	return outcome{Silent, "calls methods of a nil pointer and ignores their EINVAL"}
}

func blank(lhs []ast.Expr) bool {
	for _, e := range lhs {
		if id, ok := e.(*ast.Ident); !ok || id.Name != "_" {
			return false
		}
	}
	return true
}

// decide follows the branch that an if statement takes when the test fails.
func (s *searcher) decide(b *branch, cur inspector.Cursor, v, ok types.Object) outcome {
	ifs := cur.Node().(*ast.IfStmt)
	if s.u.truth(ifs.Cond, ok, v) != no {
		if o, done := b.follow(ifs.Body.List); done {
			return o
		}
		return b.end("goes on without it")
	}
	if ifs.Else != nil {
		if o, done := b.stmt(ifs.Else); done {
			return o
		}
		if els, isBlock := ifs.Else.(*ast.BlockStmt); isBlock && len(els.List) > 0 {
			return b.end("takes the else branch")
		}
	}
	if leaves(ifs.Body.List) {
		if o, done := b.follow(following(cur)); done {
			return o
		}
	}
	return b.end("skips what it does for this type")
}

// guard returns the line of a test around cur, or before it, that lets only T through.
func (s *searcher) guard(cur inspector.Cursor, e *ast.TypeAssertExpr) int {
	t := s.u.typeOf(e.Type)
	line := func(n ast.Node) int { return s.fset.Position(n.Pos()).Line }
	for c := cur; c.Node() != nil; c = c.Parent() {
		switch n := c.Node().(type) {
		case *ast.FuncDecl:
			return 0
		case *ast.CaseClause:
			ts, ok := c.Parent().Parent().Node().(*ast.TypeSwitchStmt)
			if ok && s.u.same(switched(ts), e.X) && len(n.List) == 1 && types.Identical(s.u.typeOf(n.List[0]), t) {
				return line(n)
			}
		case *ast.IfStmt:
			if ok := s.testOf(n, e.X, t); ok != nil && n.Body.Pos() <= e.Pos() && e.End() <= n.Body.End() &&
				s.u.truth(n.Cond, ok, nil) == no {
				return line(n)
			}
		}
		if c.Parent().Node() == nil {
			break
		}
		for _, stmt := range preceding(c) {
			ifs, isIf := stmt.(*ast.IfStmt)
			if !isIf || !leaves(ifs.Body.List) {
				continue
			}
			if ok := s.testOf(ifs, e.X, t); ok != nil && s.u.truth(ifs.Cond, ok, nil) == yes {
				return line(ifs)
			}
		}
	}
	return 0
}

// testOf returns the ok of if _, ok := x.(t); …, or nil for other statements.
func (s *searcher) testOf(n *ast.IfStmt, x ast.Expr, t types.Type) types.Object {
	init, ok := n.Init.(*ast.AssignStmt)
	if !ok || len(init.Lhs) != 2 || len(init.Rhs) != 1 {
		return nil
	}
	a, ok := ast.Unparen(init.Rhs[0]).(*ast.TypeAssertExpr)
	if !ok || a.Type == nil || !s.u.same(x, a.X) || !types.Identical(s.u.typeOf(a.Type), t) {
		return nil
	}
	return s.object(init.Lhs[1])
}

// preceding returns the statements before cur in its list.
func preceding(cur inspector.Cursor) []ast.Stmt {
	kind, i := cur.ParentEdge()
	switch n := cur.Parent().Node().(type) {
	case *ast.BlockStmt:
		if kind == edge.BlockStmt_List {
			return n.List[:i]
		}
	case *ast.CaseClause:
		if kind == edge.CaseClause_Body {
			return n.Body[:i]
		}
	}
	return nil
}

// typeSwitch is a switch with cases of net's types.
func (s *searcher) typeSwitch(cur inspector.Cursor, n *ast.TypeSwitchStmt) {
	x := switched(n)
	var cases []string
	var sides [2]struct { // by side: connections, listeners
		name string
		used use
		all  bool // every clause leaves
	}
	first := token.NoPos
	for _, c := range n.Body.List {
		c := c.(*ast.CaseClause)
		for _, e := range c.List {
			name, sd := concrete(s.u.typeOf(e))
			if name == "" {
				continue
			}
			cases = append(cases, name)
			if first == token.NoPos {
				first = e.Pos()
			}
			i := int(sd) - 1
			if sides[i].name == "" {
				sides[i].name, sides[i].all = name, true
				if clause, ok := cur.FindNode(c); ok {
					sides[i].used = s.usedVariable(clause, s.u.info.Implicits[c])
				}
			}
			sides[i].all = sides[i].all && leaves(c.Body)
		}
	}
	if cases == nil {
		return
	}
	f := Finding{Kind: kindSwitch, Code: shorten("switch " + text(x) + ".(type) { case " + strings.Join(cases, ", ") + " }")}
	for i, one := range sides {
		if one.name == "" {
			continue
		}
		sd := side(i + 1)
		o := s.reached(s.noCase(cur, n, sd, one.used, one.all), x, sd)
		if f.Class == 0 || o.class < f.Class {
			f.Class, f.Why, f.Write = o.class, o.why, ""
			if o.class != Works {
				f.Write = "case " + s.caseInstead(x, sd, one.used) + ":"
			}
		}
	}
	s.report(cur, first, f)
}

// noCase returns what a type switch does with a value that no case of net's takes.
func (s *searcher) noCase(cur inspector.Cursor, n *ast.TypeSwitchStmt, sd side, used use, all bool) outcome {
	b := s.branch(s.u, cur, switched(n), sd)
	b.closing = used.closes()
	if o, done := b.clauses(n); done {
		return o
	}
	if o := b.end(""); o.class == Fails {
		return o
	}
	if all {
		if o, done := b.follow(following(cur)); done {
			return o
		}
	}
	for _, c := range n.Body.List {
		if c := c.(*ast.CaseClause); c.List == nil && len(c.Body) > 0 {
			return b.end("takes the default clause")
		}
	}
	return b.end("no case takes it")
}

// reached weakens an outcome if netring's type cannot be in x.
func (s *searcher) reached(o outcome, x ast.Expr, sd side) outcome {
	if o.class == Works {
		return o
	}
	if t := s.u.typeOf(x); !s.net.holds(t, sd) {
		return outcome{Works, "netring's " + netringName(sd) + " does not have the methods of " +
			types.TypeString(t, types.RelativeTo(s.u.types))}
	}
	from := s.origin(s.u, x, 0)
	if from.open {
		return o
	}
	for _, m := range from.makers {
		if m.own && m.side == sd {
			o.why += ", once " + m.name + " (" + s.place(m.pos) + ") is netring's"
			return o
		}
	}
	if len(from.makers) == 0 {
		return outcome{Works, "netring's type cannot get here"}
	}
	m := from.makers[0]
	return outcome{Works, "the value comes from " + m.name + " (" + s.place(m.pos) + "), which stays net's"}
}

func netringName(sd side) string {
	if sd == listenerSide {
		return "*Listener"
	}
	return "*Conn"
}

// place is file:line without the folder.
func (p *program) place(pos token.Pos) string {
	at := p.fset.Position(pos)
	return at.Filename[strings.LastIndexAny(at.Filename, `/\`)+1:] + ":" + strconv.Itoa(at.Line)
}
