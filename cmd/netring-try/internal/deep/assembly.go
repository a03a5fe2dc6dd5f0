package deep

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// replacement is what becomes of a function of golang.org/x/sys/unix that is implemented in
// assembly: the assembler cannot work in a directory which exists only in an overlay.
type replacement struct {
	linkname string // a function of package syscall that is the same
	body     string
}

// replacements are for the functions of all architectures but 32-bit MIPS.
var replacements = map[string]replacement{
	"Syscall":           {linkname: "syscall.Syscall"},
	"Syscall6":          {linkname: "syscall.Syscall6"},
	"RawSyscall":        {linkname: "syscall.RawSyscall"},
	"RawSyscall6":       {linkname: "syscall.RawSyscall6"},
	"SyscallNoError":    {body: "r1, r2, _ = Syscall(trap, a1, a2, a3); return"},
	"RawSyscallNoError": {body: "r1, r2, _ = RawSyscall(trap, a1, a2, a3); return"},
	"gettimeofday":      {linkname: "syscall.gettimeofday"},
	"seek":              {linkname: "syscall.seek"},          // 386 and arm
	"socketcall":        {linkname: "syscall.socketcall"},    // 386
	"rawsocketcall":     {linkname: "syscall.rawsocketcall"}, // 386
}

// replaceAssembly changes the functions of a file that have no body.
func replaceAssembly(name string, src []byte) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	texts := make(map[int]string) // by offset
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body != nil || linknamed(file, f.Name.Name) {
			continue
		}
		r, ok := replacements[f.Name.Name]
		at, end := fset.Position(f.Pos()).Offset, fset.Position(f.End()).Offset
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: %s is implemented in assembly, and deep mode knows no other way", name, f.Name.Name)
		case r.linkname != "":
			texts[at] += "//go:linkname " + f.Name.Name + " " + r.linkname + "\n"
		default:
			texts[at] += "//go:uintptrkeepalive\n//go:nosplit\n"
			texts[end] += " {" + r.body + "}"
		}
	}
	if len(texts) == 0 {
		return src, nil
	}
	texts[fset.Position(file.Name.End()).Offset] = "\n\nimport _ \"unsafe\"\n"
	return splice(src, texts)
}

// linknamed reports whether the file says where the function is.
func linknamed(file *ast.File, function string) bool {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:linkname "+function+" ") {
				return true
			}
		}
	}
	return false
}
