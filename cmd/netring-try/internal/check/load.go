package check

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"
)

// netringPath is the module whose own assertions are no findings.
const netringPath = "github.com/netring-go/netring"

// A unit is a package that is searched: its function bodies are type-checked.
type unit struct {
	*packages.Package
	files []*ast.File
	types *types.Package
	info  *types.Info
	own   bool // in a module that the user edits

	clauseOf map[*types.Var]ast.Expr // variables of type switches, and what these look at
}

// A program is the import graph of the patterns.
type program struct {
	fset     *token.FileSet
	units    []*unit // dependencies first
	packages int     // in the graph; those of the standard library only with -std
	modules  int
	net      *netTypes
	index    *index
	own      map[*types.Package]bool
	warnings []string // dependencies that did not type-check

	checked map[string]*types.Package // by packages.Package.ID
}

// load lists the import graph and type-checks what the search needs. The go command
// only lists files: type-checking goes from source, with function bodies in the
// searched packages only. So nothing is compiled, and cgo does not run.
func load(ctx context.Context, o *options) (*program, error) {
	env := append(os.Environ(), "GOOS=linux", "GOPACKAGESDRIVER=off")
	var flags []string
	if o.tags != "" {
		flags = append(flags, "-tags="+o.tags)
	}
	p := &program{fset: token.NewFileSet(), checked: make(map[string]*types.Package)}
	roots, err := packages.Load(&packages.Config{
		Context:    ctx,
		Mode:       packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedModule,
		Dir:        o.dir,
		Env:        env,
		BuildFlags: flags,
	}, o.patterns...)
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w; check that `go list %[1]s` works here",
			strings.Join(o.patterns, " "), err)
	}
	if err := p.tolerate(o, listErrors(roots), "the packages do not load"); err != nil {
		return nil, err
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("%s matches no package for linux; patterns are those of `go build`",
			strings.Join(o.patterns, " "))
	}
	return p, p.check(o, roots)
}

// tolerate turns errors into warnings if -e is set, and else into one error.
func (p *program) tolerate(o *options, errs []error, heading string) error {
	if !o.lenient {
		return briefly(errs, heading+"; make `go build` work first, or see what -e finds")
	}
	for _, err := range errs {
		p.warnings = append(p.warnings, err.Error())
	}
	return nil
}

// listErrors returns what the go command could not find or read.
func listErrors(roots []*packages.Package) []error {
	var errs []error
	packages.Visit(roots, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			errs = append(errs, fmt.Errorf("package %s: %w", p.PkgPath, e))
		}
	})
	return errs
}

// briefly joins the first errors under a heading.
func briefly(errs []error, heading string) error {
	const most = 10
	if len(errs) == 0 {
		return nil
	}
	left := len(errs) - most
	if left > 0 {
		errs = append(errs[:most:most], fmt.Errorf("and %d more", left))
	}
	return fmt.Errorf("%s:\n%w", heading, errors.Join(errs...))
}

// check type-checks the packages that import net, those that the patterns name, and
// the declarations of whatever these need.
func (p *program) check(o *options, roots []*packages.Package) error {
	var order []*packages.Package
	search := make(map[*packages.Package]bool)
	edited := make(map[*packages.Package]bool) // without a module, if go.mod is missing
	for _, r := range roots {
		search[r] = true
		edited[r] = r.Module == nil
	}
	modules := make(map[string]bool)
	packages.Visit(roots, nil, func(q *packages.Package) {
		order = append(order, q)
		search[q] = search[q] || wanted(q, o.std) && p.mentions(q)
		if q.Module != nil {
			modules[q.Module.Path] = true
		}
		if q.Module != nil || edited[q] || o.std {
			p.packages++
		}
	})
	p.modules = len(modules)

	need := make(map[*packages.Package]bool)
	var mark func(*packages.Package)
	mark = func(q *packages.Package) {
		if need[q] {
			return
		}
		need[q] = true
		for _, i := range q.Imports {
			mark(i)
		}
	}
	for q, searched := range search {
		if searched {
			mark(q)
		}
	}
	var failed []error
	for _, q := range order {
		if !need[q] {
			continue
		}
		errs := p.checkPackage(q, search[q], edited[q])
		if len(errs) == 0 {
			continue
		}
		if edited[q] || q.Module != nil && q.Module.Main {
			failed = append(failed, errs...)
		} else if search[q] {
			p.warnings = append(p.warnings, fmt.Sprintf(
				"%s was read with errors, findings in it may be missing: %v", q.PkgPath, errs[0]))
		}
	}
	if err := p.tolerate(o, failed, "the code does not compile"); err != nil {
		return err
	}
	return p.prepare()
}

// wanted reports whether a package can contain findings. To name net's types, it must
// import net; crypto/tls takes a net.Dialer.
func wanted(q *packages.Package, std bool) bool {
	if q.Imports["net"] == nil && q.Imports["crypto/tls"] == nil && q.Imports["net/http"] == nil {
		return false
	}
	if q.Module == nil { // the standard library
		return std
	}
	return q.Module.Path != netringPath
}

// findable matches the names without which a file has neither findings nor anything that
// leads to one. Without this test, a program that imports the SDKs of clouds would take
// gigabytes.
var findable = regexp.MustCompile(`\bnet\.(\w*Conn|\w*Listener|Buffers|ListenConfig|Dialer|Dial\w*|Listen\w*|Pipe)\b` +
	`|\b(ListenAndServe(TLS)?|tls\.(Dial|Listen|Dialer|DialWithDialer)|NetDialer)\b|\.WriteTo\(|\.Accept\(|[\w.] "net"`)

// mentions reports whether a file of the package matches findable.
func (p *program) mentions(q *packages.Package) bool {
	for _, name := range q.GoFiles {
		src, err := os.ReadFile(name)
		if err != nil || findable.Match(src) { // type-checking reports the error
			return true
		}
	}
	return false
}

func (p *program) checkPackage(q *packages.Package, bodies, edited bool) []error {
	if q.PkgPath == "unsafe" {
		p.checked[q.ID] = types.Unsafe
		return nil
	}
	files, errs := p.parse(q.GoFiles)
	conf := types.Config{
		Importer:         importMap{q, p.checked},
		IgnoreFuncBodies: !bodies,
		FakeImportC:      true,
		Sizes:            types.SizesFor("gc", build.Default.GOARCH),
		Error:            func(err error) { errs = append(errs, err) },
	}
	var info *types.Info
	if bodies {
		info = &types.Info{
			Types:      make(map[ast.Expr]types.TypeAndValue),
			Defs:       make(map[*ast.Ident]types.Object),
			Uses:       make(map[*ast.Ident]types.Object),
			Implicits:  make(map[ast.Node]types.Object),
			Selections: make(map[*ast.SelectorExpr]*types.Selection),
		}
	}
	// The error is the first of those that conf.Error got.
	t, _ := conf.Check(q.PkgPath, p.fset, files, info)
	p.checked[q.ID] = t
	if bodies && (q.Module == nil || q.Module.Path != netringPath) {
		p.units = append(p.units, &unit{
			Package: q, files: files, types: t, info: info,
			own:      q.Module != nil && q.Module.Main || edited,
			clauseOf: make(map[*types.Var]ast.Expr),
		})
	}
	return errs
}

// parse parses the files of a package, concurrently.
func (p *program) parse(names []string) ([]*ast.File, []error) {
	files := make([]*ast.File, len(names))
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			files[i], errs[i] = parser.ParseFile(p.fset, name, nil, parser.SkipObjectResolution)
		})
	}
	wg.Wait()
	var parsed []*ast.File
	var failed []error
	for i := range names {
		if files[i] != nil {
			parsed = append(parsed, files[i])
		}
		if errs[i] != nil {
			failed = append(failed, errs[i])
		}
	}
	return parsed, failed
}

// An importMap resolves the imports of one package, in which a path can mean a
// vendored package.
type importMap struct {
	of      *packages.Package
	checked map[string]*types.Package
}

func (m importMap) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	q := m.of.Imports[path]
	if q == nil {
		return nil, fmt.Errorf("package %s is not in the import graph", path)
	}
	if t := m.checked[q.ID]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("package %s could not be type-checked", path)
}

// prepare makes what the rules look things up in.
func (p *program) prepare() error {
	net := p.checked["net"]
	if net == nil { // nothing imports net
		p.units = nil
		return nil
	}
	var err error
	if p.net, err = newNetTypes(p.fset, net, p.checked); err != nil {
		return err
	}
	p.index = newIndex(p.units)
	p.own = make(map[*types.Package]bool)
	for _, u := range p.units {
		p.own[u.types] = u.own
	}
	return nil
}

// file returns the name of the file at pos, relative to the package's module.
func (p *program) file(u *unit, pos token.Pos) string {
	name := p.fset.Position(pos).Filename
	if u.Module != nil && u.Module.Dir != "" {
		if rel, err := filepath.Rel(u.Module.Dir, name); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return name
}
