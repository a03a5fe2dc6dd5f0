package netring

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// exported returns the package's exported API on the given system, as go doc shows the
// API. It returns a line for each constant, variable, function, type, field and method.
// exported fails the test if an identifier has no doc comment, or shows a type of
// package reactor or bufring.
func exported(t *testing.T, goos string) []string {
	t.Helper()
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled = goos, "amd64", false
	pkg, err := ctx.ImportDir(".", 0)
	must(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(pkg.Dir, name), nil, parser.ParseComments)
		must(t, err)
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, pkg.ImportPath)
	must(t, err)
	a := api{t: t, goos: goos}
	a.values("const", p.Consts)
	a.values("var", p.Vars)
	a.funcs("func", p.Funcs)
	for _, typ := range p.Types {
		a.typ(typ)
	}
	slices.Sort(a.lines)
	return a.lines
}

// api collects the lines of exported.
type api struct {
	t     *testing.T
	goos  string
	lines []string
}

func (a *api) add(comment, format string, args ...any) {
	a.t.Helper()
	line := fmt.Sprintf(format, args...)
	if strings.TrimSpace(comment) == "" {
		a.t.Errorf("%s: %s has no doc comment", a.goos, line)
	}
	if strings.Contains(line, "reactor.") || strings.Contains(line, "bufring.") || strings.Contains(line, " engine.") {
		a.t.Errorf("%s: %s shows the implementation", a.goos, line)
	}
	a.lines = append(a.lines, line)
}

func (a *api) values(kind string, values []*doc.Value) {
	for _, v := range values {
		for _, spec := range v.Decl.Specs {
			spec := spec.(*ast.ValueSpec)
			typ := ""
			if spec.Type != nil {
				typ = " " + types.ExprString(spec.Type)
			}
			for _, name := range spec.Names {
				if name.IsExported() {
					a.add(v.Doc+spec.Doc.Text(), "%s %s%s", kind, name.Name, typ)
				}
			}
		}
	}
}

func (a *api) funcs(prefix string, funcs []*doc.Func) {
	for _, f := range funcs {
		a.add(f.Doc, "%s %s%s", prefix, f.Name, signature(f.Decl.Type))
	}
}

func (a *api) typ(typ *doc.Type) {
	for _, spec := range typ.Decl.Specs {
		spec := spec.(*ast.TypeSpec)
		if spec.Assign.IsValid() {
			a.t.Errorf("%s: %s is an alias: go doc shows neither its methods nor its fields", a.goos, typ.Name)
		}
		st, ok := spec.Type.(*ast.StructType)
		if !ok {
			a.add(typ.Doc, "type %s %s", typ.Name, types.ExprString(spec.Type))
			continue
		}
		a.add(typ.Doc, "type %s struct", typ.Name)
		for _, field := range st.Fields.List {
			if name := types.ExprString(field.Type); len(field.Names) == 0 && ast.IsExported(name) {
				a.add(typ.Doc, "embedded %s.%s", typ.Name, name)
			}
			for _, name := range field.Names {
				if name.IsExported() {
					tag := ""
					if field.Tag != nil {
						tag = " " + field.Tag.Value
					}
					a.add(typ.Doc, "field %s.%s %s%s", typ.Name, name.Name, types.ExprString(field.Type), tag)
				}
			}
		}
	}
	a.values("const", typ.Consts)
	a.values("var", typ.Vars)
	a.funcs("func", typ.Funcs)
	for _, m := range typ.Methods {
		_, pointer := m.Decl.Recv.List[0].Type.(*ast.StarExpr)
		star := ""
		if pointer {
			star = "*"
		}
		a.add(m.Doc, "method (%s%s).%s%s", star, typ.Name, m.Name, signature(m.Decl.Type))
	}
}

// signature returns a function's type without the names of parameters and results.
func signature(f *ast.FuncType) string {
	list := func(fields *ast.FieldList) string {
		var list []string
		for _, field := range fields.List {
			for range max(len(field.Names), 1) {
				list = append(list, types.ExprString(field.Type))
			}
		}
		return "(" + strings.Join(list, ", ") + ")"
	}
	if f.Results == nil {
		return list(f.Params)
	}
	return list(f.Params) + " " + list(f.Results)
}

// A program that compiles on one system compiles on all.
func TestAPISameEverywhere(t *testing.T) {
	linux := exported(t, "linux")
	for _, line := range []string{"method (*Conn).ReadLease() (Lease, error)", "method (*Lease).Release()", "method (Engine).String() (string)",
		"embedded Stats.Counters", "method (*Conn).Buffered() (int)", "var ErrUnread", "method (*Listener).AcceptConn() (*Conn, error)", "const EngineNet"} {
		if !slices.Contains(linux, line) {
			t.Errorf("linux: %s is missing from\n%s", line, strings.Join(linux, "\n"))
		}
	}
	for _, goos := range []string{"darwin", "windows", "freebsd"} {
		other := exported(t, goos)
		for _, line := range linux {
			if !slices.Contains(other, line) {
				t.Errorf("%s: missing: %s", goos, line)
			}
		}
		for _, line := range other {
			if !slices.Contains(linux, line) {
				t.Errorf("linux: missing: %s, which %s has", line, goos)
			}
		}
	}
}

// constraint returns the build constraint of a Go file, "" if it has none.
func constraint(t *testing.T, name string) string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(name), nil, parser.PackageClauseOnly|parser.ParseComments)
	must(t, err)
	for _, group := range f.Comments {
		for _, c := range group.List {
			if s, ok := strings.CutPrefix(c.Text, "//go:build "); ok {
				return s
			}
		}
	}
	return ""
}

// A file that is only for Linux is called *_linux.go or *_linux_test.go, and its
// constraint does not repeat that. A file for all other systems is called *_other.go or
// *_other_test.go.
func TestFileNames(t *testing.T) {
	for _, name := range goFiles(t) {
		c := constraint(t, name)
		base := strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test")
		switch linux := strings.HasSuffix(base, "_linux"); {
		case c == "!linux" && !strings.HasSuffix(base, "_other"):
			t.Errorf("%s has the constraint %q; call the file *_other.go", name, c)
		case c == "!linux":
		case linux && strings.Contains(c, "linux"):
			t.Errorf("%s has the constraint %q; remove linux, which the name says", name, c)
		case !linux && strings.Contains(c, "linux"):
			t.Errorf("%s has the constraint %q; call the file *_linux.go and remove linux", name, c)
		case strings.HasSuffix(base, "_other") && !strings.HasPrefix(c, "!"):
			t.Errorf("%s has the constraint %q; *_other.go needs a constraint such as !linux", name, c)
		}
	}
}
