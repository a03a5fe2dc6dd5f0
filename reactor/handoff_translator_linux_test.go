package reactor

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"math"
	"strconv"
)

// translator translates one method, with those it calls in the place of the calls.
type translator struct {
	methods map[string]*ast.FuncDecl
	consts  map[string]int8
	code    []instr
	scope   []map[string]operand
	regs    int8 // in use
	fn      *function
}

// function is a method under translation.
type function struct {
	decl     *ast.FuncDecl
	result   int8   // its register
	deferred bool   // mu.Unlock
	leave    *label // its end
	unlock   *label // its end with mu.Unlock
}

type label struct {
	at   int
	refs []int
}

// refusal is what the translator panics with.
type refusal string

func refuse(format string, args ...any) { panic(refusal(fmt.Sprintf(format, args...))) }

// translate returns the instructions of the named methods of handoff in the source.
func translate(source []byte, names []string) (code [][]instr, err error) {
	file, err := parser.ParseFile(gotoken.NewFileSet(), "handoff_linux.go", source, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case refusal:
			err = fmt.Errorf("the explorer cannot translate handoff_linux.go: %s", string(r))
		default:
			panic(r)
		}
	}()
	methods := make(map[string]*ast.FuncDecl)
	consts := map[string]int8{"false": 0, "true": 1}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == gotoken.CONST {
			enumerate(g, consts)
		}
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
			if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok && star.X.(*ast.Ident).Name == "handoff" {
				methods[f.Name.Name] = f
			}
		}
	}
	for _, name := range names {
		t := &translator{methods: methods, consts: consts}
		var args []operand
		if d := methods[name]; d != nil {
			for range boolParams(d) {
				args = append(args, t.register())
			}
		}
		t.emit(instr{do: doReturn, a: t.method(name, args)})
		if len(t.code) > math.MaxUint8 { // see actor.at
			refuse("%s has %d instructions", name, len(t.code))
		}
		code = append(code, t.code)
	}
	return code, nil
}

// enumerate adds the constants of g to consts if iota numbers them.
func enumerate(g *ast.GenDecl, consts map[string]int8) {
	for i, s := range g.Specs {
		v := s.(*ast.ValueSpec)
		if i == 0 {
			if id, ok := v.Values[0].(*ast.Ident); !ok || id.Name != "iota" {
				return
			}
		}
		consts[v.Names[0].Name] = int8(i)
	}
}

// boolParams returns the parameters of d that are passed in registers.
func boolParams(d *ast.FuncDecl) (names []string) {
	for _, p := range d.Type.Params.List {
		if id, ok := p.Type.(*ast.Ident); ok && id.Name == "bool" {
			for _, n := range p.Names {
				names = append(names, n.Name)
			}
		}
	}
	return names
}

func (t *translator) emit(in instr) {
	in.live = t.regs
	if in.do == doLoad || in.do == doAdd {
		in.live = in.dst
	}
	t.code = append(t.code, in)
}

func (t *translator) register() operand {
	if t.regs == numRegs {
		refuse("%s needs more than %d registers", t.fn.decl.Name.Name, numRegs)
	}
	t.regs++
	return operand{reg: true, n: t.regs - 1}
}

func (t *translator) jump(l *label) { t.branch(instr{do: doJump}, l) }

func (t *translator) branch(in instr, l *label) {
	l.refs = append(l.refs, len(t.code))
	t.emit(in)
}

func (t *translator) place(l *label) {
	l.at = len(t.code)
	for _, i := range l.refs {
		t.code[i].to = l.at
	}
}

// method translates the body of the named method in the place of a call.
func (t *translator) method(name string, args []operand) (result operand) {
	d := t.methods[name]
	if d == nil {
		refuse("handoff has no method %s", name)
	}
	outer, outerScope := t.fn, t.scope
	defer func() { t.fn, t.scope = outer, outerScope }()
	t.fn = &function{decl: d, leave: new(label), unlock: new(label)}
	t.scope = []map[string]operand{{}}
	for i, p := range boolParams(d) {
		t.scope[0][p] = args[i]
	}
	result = t.register()
	t.fn.result = result.n
	t.emit(instr{do: doMove, dst: result.n}) // of a method without one, too
	t.block(d.Body.List)
	if t.fn.deferred {
		t.place(t.fn.unlock)
		t.emit(instr{do: doUnlock})
	}
	t.place(t.fn.leave)
	t.regs = result.n + 1
	return result
}

func (t *translator) block(list []ast.Stmt) {
	regs := t.regs
	t.scope = append(t.scope, map[string]operand{})
	for _, s := range list {
		t.statement(s)
	}
	t.scope = t.scope[:len(t.scope)-1]
	t.regs = regs
}

func (t *translator) statement(s ast.Stmt) {
	regs := t.regs
	switch s := s.(type) {
	case *ast.BlockStmt:
		t.block(s.List)
	case *ast.ExprStmt:
		t.value(s.X)
		t.regs = regs
	case *ast.DeferStmt:
		if path(s.Call.Fun) != "h.mu.Unlock" {
			refuse("a deferred %s", path(s.Call.Fun))
		}
		t.fn.deferred = true
	case *ast.ReturnStmt:
		if len(s.Results) == 1 {
			t.emit(instr{do: doMove, dst: t.fn.result, a: t.value(s.Results[0])})
		}
		if t.fn.deferred {
			t.jump(t.fn.unlock)
		} else {
			t.jump(t.fn.leave)
		}
		t.regs = regs
	case *ast.IncDecStmt:
		by := int8(1)
		if s.Tok == gotoken.DEC {
			by = -1
		}
		t.emit(instr{do: doAdd, field: fieldOf(path(s.X)), a: operand{n: by}, dst: t.register().n})
		t.regs = regs
	case *ast.AssignStmt:
		t.assign(s)
	case *ast.IfStmt:
		t.scope = append(t.scope, map[string]operand{})
		if s.Init != nil {
			t.statement(s.Init)
		}
		inner := t.regs
		yes, no, end := new(label), new(label), new(label)
		t.condition(s.Cond, yes, no)
		t.regs = inner
		t.place(yes)
		t.block(s.Body.List)
		t.jump(end)
		t.place(no)
		if s.Else != nil {
			t.statement(s.Else)
		}
		t.place(end)
		t.scope = t.scope[:len(t.scope)-1]
		t.regs = regs
	case *ast.SwitchStmt:
		t.choose(s)
	default:
		refuse("a %T", s)
	}
}

func (t *translator) assign(s *ast.AssignStmt) {
	if len(s.Lhs) != 1 {
		refuse("an assignment to %d places", len(s.Lhs))
	}
	regs := t.regs
	name := path(s.Lhs[0])
	switch s.Tok {
	case gotoken.DEFINE:
		v := t.register()
		t.emit(instr{do: doMove, dst: v.n, a: t.value(s.Rhs[0])})
		t.scope[len(t.scope)-1][name] = v
		t.regs = regs + 1
	case gotoken.ASSIGN:
		a := t.value(s.Rhs[0])
		if v, ok := t.lookup(name); ok {
			t.emit(instr{do: doMove, dst: v.n, a: a})
		} else {
			t.emit(instr{do: doStore, field: fieldOf(name), a: a})
		}
		t.regs = regs
	default:
		refuse("%s", s.Tok)
	}
}

func (t *translator) choose(s *ast.SwitchStmt) {
	if s.Tag != nil || s.Init != nil {
		refuse("a switch over a value")
	}
	regs := t.regs
	end := new(label)
	var others *ast.CaseClause
	for _, c := range s.Body.List {
		c := c.(*ast.CaseClause)
		if c.List == nil {
			others = c
			continue
		}
		yes, no := new(label), new(label)
		for _, e := range c.List {
			next := new(label)
			t.condition(e, yes, next)
			t.place(next)
			t.regs = regs
		}
		t.jump(no)
		t.place(yes)
		t.block(c.Body)
		t.jump(end)
		t.place(no)
	}
	if others != nil {
		t.block(others.Body)
	}
	t.place(end)
}

// condition jumps to yes or to no.
func (t *translator) condition(e ast.Expr, yes, no *label) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		t.condition(e.X, yes, no)
		return
	case *ast.UnaryExpr:
		if e.Op == gotoken.NOT {
			t.condition(e.X, no, yes)
			return
		}
	case *ast.BinaryExpr:
		mid := new(label)
		switch e.Op {
		case gotoken.LAND:
			t.condition(e.X, mid, no)
			t.place(mid)
			t.condition(e.Y, yes, no)
		case gotoken.LOR:
			t.condition(e.X, yes, mid)
			t.place(mid)
			t.condition(e.Y, yes, no)
		default:
			regs := t.regs
			a, b := t.value(e.X), t.value(e.Y)
			t.branch(instr{do: doCmp, cmp: e.Op, a: a, b: b}, yes)
			t.regs = regs
			t.jump(no)
		}
		return
	}
	regs := t.regs
	v := t.value(e)
	t.branch(instr{do: doCmp, cmp: gotoken.NEQ, a: v}, yes)
	t.regs = regs
	t.jump(no)
}

// value computes e.
func (t *translator) value(e ast.Expr) operand {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return t.value(e.X)
	case *ast.BasicLit:
		n, err := strconv.ParseInt(e.Value, 0, 8)
		if err != nil {
			refuse("the constant %s", e.Value)
		}
		return operand{n: int8(n)}
	case *ast.UnaryExpr:
		if e.Op == gotoken.SUB {
			v := t.value(e.X)
			return operand{n: -v.n}
		}
		return t.truth(e)
	case *ast.BinaryExpr:
		return t.truth(e)
	case *ast.Ident:
		if v, ok := t.lookup(e.Name); ok {
			return v
		}
		n, ok := t.consts[e.Name]
		if !ok {
			refuse("the name %s", e.Name)
		}
		return operand{n: n}
	case *ast.SelectorExpr:
		v := t.register()
		t.emit(instr{do: doLoad, field: fieldOf(path(e)), dst: v.n})
		return v
	case *ast.CallExpr:
		return t.call(e)
	}
	refuse("a %T", e)
	return operand{}
}

// truth computes the condition e.
func (t *translator) truth(e ast.Expr) operand {
	v := t.register()
	yes, no, end := new(label), new(label), new(label)
	t.condition(e, yes, no)
	t.place(yes)
	t.emit(instr{do: doMove, dst: v.n, a: operand{n: 1}})
	t.jump(end)
	t.place(no)
	t.emit(instr{do: doMove, dst: v.n})
	t.place(end)
	t.regs = v.n + 1
	return v
}

func (t *translator) call(e *ast.CallExpr) operand {
	sel, ok := e.Fun.(*ast.SelectorExpr)
	if !ok {
		refuse("a call of %s", path(e.Fun))
	}
	switch name := path(e.Fun); name {
	case "h.mu.Lock":
		t.emit(instr{do: doLock})
	case "h.mu.Unlock":
		t.emit(instr{do: doUnlock})
	case "h.pending.push":
		t.emit(instr{do: doPush})
	case "h.pending.take":
		t.emit(instr{do: doTake})
	case "h.pending.len":
		v := t.register()
		t.emit(instr{do: doLen, dst: v.n})
		return v
	case "h.left.give": // it has no sleeper here
		t.emit(instr{do: doPut})
	default:
		switch x := path(sel.X); {
		case x == "h":
			var args []operand
			for _, a := range e.Args {
				args = append(args, t.value(a))
			}
			return t.method(sel.Sel.Name, args)
		default:
			return t.access(fieldOf(x), sel.Sel.Name, e.Args)
		}
	}
	return operand{}
}

// access translates a method of an atomic field.
func (t *translator) access(f field, method string, args []ast.Expr) operand {
	if !f.atomic() {
		refuse("%s.%s", fieldNames[f], method)
	}
	switch method {
	case "Load":
		v := t.register()
		t.emit(instr{do: doLoad, field: f, dst: v.n})
		return v
	case "Store":
		t.emit(instr{do: doStore, field: f, a: t.value(args[0])})
	case "Add":
		by := t.value(args[0])
		v := t.register()
		t.emit(instr{do: doAdd, field: f, a: by, dst: v.n})
		return v
	default:
		refuse("%s.%s", fieldNames[f], method)
	}
	return operand{}
}

func (t *translator) lookup(name string) (operand, bool) {
	for i := len(t.scope) - 1; i >= 0; i-- {
		if v, ok := t.scope[i][name]; ok {
			return v, true
		}
	}
	return operand{}, false
}

// path returns a name with its selectors.
func path(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return path(e.X) + "." + e.Sel.Name
	}
	refuse("a %T where a name is expected", e)
	return ""
}

func fieldOf(path string) field {
	for f, name := range fieldNames {
		if path == "h."+name {
			return field(f)
		}
	}
	refuse("the field %s", path)
	return 0
}
