package deep

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// insertion is a change to a function: text becomes its first statement or, if before is
// set, the one before the only statement that calls the named method of fd.pd.
type insertion struct {
	file      string // below GOROOT/src
	function  string // "name" or "(*receiver).name"
	signature string
	after     []string // methods that the statements before the change call
	before    string
	text      string
}

// insertions are all the changes to functions. glue.go has what they call.
var insertions = []insertion{
	{
		file: pollRuntime, function: "(*pollDesc).init", signature: "func(fd *FD) error",
		text: "if done, err := pd.netringInit(fd); done { return err }",
	},
	{
		file: pollRuntime, function: "(*pollDesc).close", signature: "func()",
		text: "if pd.ring != nil { pd.netringRelease(); return }",
	},
	{
		file: pollRuntime, function: "(*pollDesc).evict", signature: "func()",
		text: "if pd.ring != nil { pd.netringEvict(); return }",
	},
	{
		file: pollRuntime, function: "(*pollDesc).prepare", signature: "func(mode int, isFile bool) error",
		text: "if pd.ring != nil { return pd.ring.Prepare(mode == 'w') }",
	},
	{
		file: pollRuntime, function: "(*pollDesc).wait", signature: "func(mode int, isFile bool) error",
		text: "if pd.ring != nil { return pd.ring.Wait(mode == 'w') }",
	},
	{
		file: pollRuntime, function: "(*pollDesc).pollable", signature: "func() bool",
		text: "if pd.ring != nil { return true }",
	},
	{
		file: pollRuntime, function: "setDeadlineImpl", signature: "func(fd *FD, t time.Time, mode int) error",
		text: "if fd.pd.ring != nil { return fd.netringSetDeadline(t, mode) }",
	},
	{
		file: pollUnix, function: "(*FD).Read", signature: "func(p []byte) (int, error)",
		after: []string{"readLock", "readUnlock"}, before: "prepareRead",
		text: "if fd.pd.ring != nil { return fd.pd.ring.Read(p) }",
	},
	{
		file: pollUnix, function: "(*FD).Write", signature: "func(p []byte) (int, error)",
		after: []string{"writeLock", "writeUnlock"}, before: "prepareWrite",
		text: "if fd.pd.ring != nil { return fd.pd.ring.Write(p) }",
	},
	{
		file: pollWritev, function: "(*FD).Writev", signature: "func(v *[][]byte) (int64, error)",
		after: []string{"writeLock", "writeUnlock"}, before: "prepareWrite",
		text: "if fd.pd.ring != nil { return fd.netringWritev(v) }",
	},
	{
		file: netUnix, function: "(*netFD).connect",
		signature: "func(ctx context.Context, la, ra syscall.Sockaddr) (rsa syscall.Sockaddr, ret error)",
		text:      "fd.pfd.NetringDialled()",
	},
}

// Files below GOROOT/src.
const (
	pollDir     = "internal/poll"
	pollRuntime = pollDir + "/fd_poll_runtime.go"
	pollUnix    = pollDir + "/fd_unix.go"
	pollWritev  = pollDir + "/writev.go"
	netUnix     = "net/fd_unix.go"
)

// descFields are added to pollDesc.
const descFields = "\n\tring    NetringFD // nil: the netpoller's\n\tdialled bool      // the socket is a client's\n"

// addRewritten adds the changed files.
func addRewritten(cfg Config, overlay map[string][]byte) error {
	if err := checkUses(filepath.Join(cfg.GOROOT, "src", pollDir)); err != nil {
		return err
	}
	for _, name := range []string{pollRuntime, pollUnix, pollWritev, netUnix} {
		path := filepath.Join(cfg.GOROOT, "src", filepath.FromSlash(name))
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if overlay[path], err = rewrite(name, src); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// rewrite makes the changes to the named file.
func rewrite(name string, src []byte) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	texts := make(map[int]string) // by offset
	if name == pollRuntime {
		end, err := descEnd(file)
		if err != nil {
			return nil, err
		}
		texts[fset.Position(end).Offset] = descFields
	}
	for _, in := range insertions {
		if in.file != name {
			continue
		}
		at, err := in.place(fset, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.function, err)
		}
		texts[fset.Position(at).Offset] = "\n" + in.text + "\n"
	}
	return splice(src, texts)
}

// splice returns src, formatted, with the texts inserted at their offsets.
func splice(src []byte, texts map[int]string) ([]byte, error) {
	var out bytes.Buffer
	for i, c := range src {
		out.WriteString(texts[i])
		out.WriteByte(c)
	}
	out.WriteString(texts[len(src)])
	return format.Source(out.Bytes())
}

// place returns where the insertion goes.
func (in insertion) place(fset *token.FileSet, file *ast.File) (token.Pos, error) {
	decl, err := function(file, in.function)
	if err != nil {
		return 0, err
	}
	if got := text(fset, decl.Type); got != in.signature {
		return 0, fmt.Errorf("it is %s, and should be %s", got, in.signature)
	}
	body := decl.Body.List
	if len(body) == 0 {
		return 0, errors.New("it is empty")
	}
	if in.before == "" {
		return body[0].Pos(), nil
	}
	at := slices.IndexFunc(body, func(s ast.Stmt) bool { return calls(s, in.before) })
	if at < 0 || slices.ContainsFunc(body[at+1:], func(s ast.Stmt) bool { return calls(s, in.before) }) {
		return 0, fmt.Errorf("it should call %s in one statement", in.before)
	}
	for _, name := range in.after {
		if !slices.ContainsFunc(body[:at], func(s ast.Stmt) bool { return calls(s, name) }) {
			return 0, fmt.Errorf("it should call %s before %s", name, in.before)
		}
	}
	return body[at].Pos(), nil
}

// function returns the declaration of the function with the name, as insertion has it.
func function(file *ast.File, name string) (*ast.FuncDecl, error) {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && functionName(f) == name && f.Body != nil {
			return f, nil
		}
	}
	return nil, errors.New("there is no such function")
}

func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) != 1 {
		return f.Name.Name
	}
	star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return f.Name.Name
	}
	if id, ok := star.X.(*ast.Ident); ok {
		return "(*" + id.Name + ")." + f.Name.Name
	}
	return f.Name.Name
}

// calls reports whether the statement calls a method of the name.
func calls(s ast.Stmt, method string) (found bool) {
	ast.Inspect(s, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			sel, ok := call.Fun.(*ast.SelectorExpr)
			found = found || ok && sel.Sel.Name == method
		}
		return !found
	})
	return found
}

// text returns the node's source in its standard form.
func text(fset *token.FileSet, node ast.Node) string {
	var b strings.Builder
	if err := printer.Fprint(&b, fset, node); err != nil {
		return err.Error()
	}
	return b.String()
}

// descEnd returns where pollDesc's list of fields ends.
func descEnd(file *ast.File) (end token.Pos, err error) {
	err = errors.New("pollDesc should be a struct with the field runtimeCtx alone")
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

// contextField is pollDesc's handle of the netpoller.
const contextField = "runtimeCtx"

// checkUses fails if a function of Linux uses the netpoller's handle and is neither changed
// nor known not to need it: such a function would treat a reactor's socket as one that
// cannot be polled.
func checkUses(dir string) error {
	harmless := []string{"(*pollDesc).waitCanceled"} // Windows only
	for _, in := range insertions {
		harmless = append(harmless, in.function)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range names {
		base := filepath.Base(name)
		if strings.HasSuffix(base, "_test.go") || foreignName(base, "") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && uses(f, contextField) && !slices.Contains(harmless, functionName(f)) {
				return fmt.Errorf("%s: %s uses %s, which is new", name, functionName(f), contextField)
			}
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
