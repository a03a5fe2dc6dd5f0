package check

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"
)

// fields are parameters, struct fields and embedded types. What they take is the
// compiler's business: nothing goes wrong at run time.
func (s *searcher) fields(cur inspector.Cursor, list *ast.FieldList, kind string) {
	if list == nil {
		return
	}
	for _, field := range list.List {
		t := s.u.typeOf(field.Type)
		name, sd := within(t)
		if name == "" {
			continue
		}
		f := Finding{Class: Works, Kind: kind, Code: text(field.Type)}
		if len(field.Names) > 0 {
			f.Code = field.Names[0].Name + " " + f.Code
		}
		f.Why = "takes only " + name + ", which the compiler checks"
		f.Write = "an interface with the methods used"
		if sd == listenerSide {
			f.Write += ", or net.Listener"
		} else {
			f.Write += "; or hand it what Conn.Detach returns"
		}
		s.report(cur, field.Pos(), f)
	}
}

// within returns net's type in t, also if t is a slice, map or channel of it.
func within(t types.Type) (string, side) {
	for t != nil {
		if name, sd := concrete(t); name != "" {
			return name, sd
		}
		switch u := types.Unalias(t).(type) {
		case *types.Slice:
			t = u.Elem()
		case *types.Array:
			t = u.Elem()
		case *types.Chan:
			t = u.Elem()
		case *types.Map:
			if name, sd := concrete(u.Key()); name != "" {
				return name, sd
			}
			t = u.Elem()
		case *types.Named:
			if path, name := named(u); path == "net" && (name == "TCPConn" || name == "UnixConn" || name == "TCPListener" || name == "UnixListener") {
				return concrete(types.NewPointer(u)) // the value itself, embedded
			}
			return "", 0
		default:
			return "", 0
		}
	}
	return "", 0
}

// methodExpr is (*net.TCPListener).File.
func (s *searcher) methodExpr(cur inspector.Cursor, e *ast.SelectorExpr) {
	sel := s.u.info.Selections[e]
	if sel == nil || sel.Kind() != types.MethodExpr {
		return
	}
	name, sd := concrete(sel.Recv())
	if name == "" {
		return
	}
	f := Finding{
		Class: Works, Kind: kindMethod, Code: text(e),
		Why:   "is a function of " + name + ", which the compiler checks",
		Write: "a function that takes an interface with " + e.Sel.Name,
	}
	if s.net.method(sd, e.Sel.Name) != nil {
		f.Write = "(" + netringType(sd) + ")." + e.Sel.Name + ", or " + f.Write
	}
	s.report(cur, e.Pos(), f)
}

func netringType(sd side) string { return "*netring." + netringName(sd)[1:] }

// socketCalls are the calls that make a socket with package net, without taking a
// listener or connection, and what to write instead.
var socketCalls = map[string]string{
	"net.ListenTCP":                 "netring.ListenTCP",
	"net.ListenUnix":                "netring.ListenUnix",
	"net.DialTCP":                   "netring.DialTCP",
	"net.DialUnix":                  "netring.DialUnix",
	"net.FileListener":              "netring.FileListener",
	"net.FileConn":                  "netring.FileConn",
	"tls.Listen":                    "tls.NewListener(ln, config), with ln from netring.Listen",
	"tls.Dial":                      "tls.Client(conn, config) and HandshakeContext, with conn from netring.Dial",
	"tls.DialWithDialer":            "tls.Client(conn, config) and HandshakeContext, with conn from a netring.Dialer",
	"tls.Dialer.Dial":               "tls.Client(conn, config) and HandshakeContext, with conn from a netring.Dialer",
	"tls.Dialer.DialContext":        "tls.Client(conn, config) and HandshakeContext, with conn from a netring.Dialer",
	"http.ListenAndServe":           "http.Serve(ln, handler), with ln from netring.Listen",
	"http.ListenAndServeTLS":        "http.ServeTLS(ln, handler, cert, key), with ln from netring.Listen",
	"http.Server.ListenAndServe":    "Serve(ln), with ln from netring.Listen",
	"http.Server.ListenAndServeTLS": "ServeTLS(ln, cert, key), with ln from netring.Listen",
}

func (s *searcher) call(cur inspector.Cursor, e *ast.CallExpr) {
	if s.u.info.Types[e.Fun].IsType() {
		s.conversion(cur, e)
		return
	}
	fn := s.u.callee(e)
	if fn == nil || fn.Pkg() == nil {
		return
	}
	name := qualified(fn)
	if isStd(fn.Pkg(), "net", "crypto/tls", "net/http") {
		if write := socketCalls[name]; write != "" {
			s.report(cur, e.Pos(), Finding{
				Class: Works, Kind: kindCall, Code: text(e),
				Why: "makes a socket of package net, which stays so", Write: write,
			})
		}
	}
	if name == "net.Buffers.WriteTo" && fn.Pkg().Path() == "net" && len(e.Args) == 1 {
		s.buffers(cur, e)
	}
	if fn.Pkg() != s.net.net && fn.Pkg() != s.u.types && socketCalls[name] == "" {
		s.arguments(cur, e, fn)
	}
}

func isStd(p *types.Package, paths ...string) bool {
	for _, path := range paths {
		if p.Path() == path {
			return true
		}
	}
	return false
}

// buffers is net.Buffers.WriteTo, which makes one writev for net's types only.
func (s *searcher) buffers(cur inspector.Cursor, e *ast.CallExpr) {
	t := s.u.typeOf(e.Args[0])
	if name, _ := concrete(t); name == "" && !types.IsInterface(t) {
		return
	}
	o := outcome{Works, "the connection is net's"}
	if types.IsInterface(t) {
		o = s.reached(outcome{Silent, "makes one write for each buffer"}, e.Args[0], connSide)
	}
	f := Finding{Class: o.class, Kind: kindBuffers, Code: text(e), Why: o.why}
	if o.class != Works {
		f.Write = "Writev, if " + text(e.Args[0]) + " has it: interface{ Writev([][]byte) (int64, error) }"
	}
	s.report(cur, e.Pos(), f)
}

// conversion is (*net.TCPConn)(x), or the other way round.
func (s *searcher) conversion(cur inspector.Cursor, e *ast.CallExpr) {
	if len(e.Args) != 1 {
		return
	}
	to, from := s.u.typeOf(e), s.u.typeOf(e.Args[0])
	name, _ := concrete(to)
	if s.u.info.Types[e.Args[0]].IsNil() {
		s.reflected(cur, e, name)
		return
	}
	if name == "" && !types.IsInterface(to) {
		name, _ = concrete(from)
	}
	if name == "" {
		return
	}
	s.report(cur, e.Pos(), Finding{
		Class: Works, Kind: kindConversion, Code: text(e),
		Why:   "takes only what has the memory of " + name + ", which the compiler checks",
		Write: "a type that embeds net.Conn or net.Listener",
	})
}

// reflected is reflect.TypeOf((*net.TCPConn)(nil)).
func (s *searcher) reflected(cur inspector.Cursor, e *ast.CallExpr, name string) {
	outer, ok := cur.Parent().Node().(*ast.CallExpr)
	if name == "" || !ok {
		return
	}
	fn := s.u.callee(outer)
	if fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != "reflect" || fn.Name() != "TypeOf" {
		return
	}
	s.report(cur, e.Pos(), Finding{
		Class: Silent, Kind: kindConversion, Code: text(outer),
		Why:   "the reflected type of netring's values is another",
		Write: "a test for an interface with the methods used",
	})
}

// arguments are a net.ListenConfig or net.Dialer for a function of another package that
// takes nothing else: it makes its sockets with net.
func (s *searcher) arguments(cur inspector.Cursor, e *ast.CallExpr, fn *types.Func) {
	params := fn.Signature().Params()
	for i, arg := range e.Args {
		if i >= params.Len() {
			break
		}
		if name := configures(params.At(i).Type()); name != "" {
			s.config(cur, arg.Pos(), text(e), qualified(fn), name)
		}
	}
}

// composite is a struct of another package with a field for a net.Dialer, such as
// tls.Dialer{NetDialer: d}.
func (s *searcher) composite(cur inspector.Cursor, n *ast.CompositeLit) {
	for _, e := range n.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key, ok := kv.Key.(*ast.Ident)
		if !ok {
			continue
		}
		v, ok := s.u.info.Uses[key].(*types.Var)
		if !ok || !v.IsField() || v.Pkg() == s.u.types || v.Pkg() == s.net.net {
			continue
		}
		if name := configures(v.Type()); name != "" && !s.u.info.Types[kv.Value].IsNil() {
			s.config(cur, kv.Pos(), text(kv.Key)+": "+text(kv.Value), v.Pkg().Name()+"."+key.Name, name)
		}
	}
}

func (s *searcher) config(cur inspector.Cursor, pos token.Pos, code, taker, name string) {
	write := "netring.ListenConfig's Listen, and hand over the listener; or netring.Wrap what " + taker + " makes"
	if name == "Dialer" {
		write = "a hook that takes (&netring.Dialer{}).DialContext; or netring.WrapConn what " + taker + " makes"
	}
	s.report(cur, pos, Finding{
		Class: Works, Kind: kindConfig, Code: code,
		Why: taker + " takes only a net." + name + ", so package net makes the socket", Write: write,
	})
}
