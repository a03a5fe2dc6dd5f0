package check

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// A Module is a module with findings.
type Module struct {
	Path     string    `json:"path"` // "std" for the standard library
	Version  string    `json:"version,omitempty"`
	Main     bool      `json:"main,omitempty"` // the user's own
	Findings []Finding `json:"findings"`
}

// A Result is what Run finds. -json prints it.
type Result struct {
	Modules  []Module `json:"modules"` // the user's own first, then by importance
	Fails    int      `json:"fails"`
	Silent   int      `json:"silent"`
	Works    int      `json:"works"`
	Packages int      `json:"packages"`           // in the import graph; those of the standard library only with -std
	Searched int      `json:"searched"`           // of these, the ones that can contain findings
	Graph    int      `json:"graph_modules"`      // modules in the import graph
	Warnings []string `json:"warnings,omitempty"` // packages that could not be read completely
}

// result sorts the findings of all units into modules.
func (p *program) result() *Result {
	r := &Result{Modules: []Module{}, Packages: p.packages, Searched: len(p.units), Graph: p.modules, Warnings: p.warnings}
	at := make(map[string]int)
	for _, u := range p.units {
		found := p.search(u)
		if len(found) == 0 {
			continue
		}
		m := Module{Path: "std", Main: u.own}
		if u.Module != nil {
			m.Path, m.Version = u.Module.Path, u.Module.Version
		} else if u.own {
			m.Path = u.PkgPath
		}
		i, ok := at[m.Path]
		if !ok {
			i = len(r.Modules)
			at[m.Path] = i
			r.Modules = append(r.Modules, m)
		}
		r.Modules[i].Findings = append(r.Modules[i].Findings, found...)
	}
	for i := range r.Modules {
		r.sortModule(&r.Modules[i])
	}
	slices.SortFunc(r.Modules, func(a, b Module) int {
		if a.Main != b.Main {
			if a.Main {
				return -1
			}
			return 1
		}
		return cmp.Or(
			cmp.Compare(b.count(Fails), a.count(Fails)),
			cmp.Compare(b.count(Silent), a.count(Silent)),
			cmp.Compare(a.Path, b.Path))
	})
	return r
}

func (r *Result) sortModule(m *Module) {
	slices.SortFunc(m.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	r.Fails += m.count(Fails)
	r.Silent += m.count(Silent)
	r.Works += m.count(Works)
}

func (m Module) count(c Class) int {
	n := 0
	for _, f := range m.Findings {
		if f.Class == c {
			n++
		}
	}
	return n
}

func (r *Result) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// writeText prints the findings for people; those that work only if all is set.
func (r *Result) writeText(w io.Writer, all bool) error {
	out := bufio.NewWriter(w)
	dependency := false
	for _, m := range r.Modules {
		if !all && m.count(Fails)+m.count(Silent) == 0 {
			continue
		}
		m.writeText(out, all)
		dependency = dependency || !m.Main
	}
	if dependency {
		fmt.Fprintln(out, "In a dependency, the line to write is one for its authors. Until then, give it values of package")
		fmt.Fprint(out, "net: what Conn.Detach returns, or a listener that net.Listen made.\n\n")
	}
	fmt.Fprintf(out, "%d fail, %d lose a feature silently, %d work", r.Fails, r.Silent, r.Works)
	if r.Works > 0 && !all {
		fmt.Fprint(out, " (-all lists them)")
	}
	fmt.Fprintf(out, "; searched %d of %d packages in %d modules\n", r.Searched, r.Packages, r.Graph)
	return out.Flush()
}

func (m Module) writeText(out io.Writer, all bool) {
	fmt.Fprint(out, m.Path)
	if m.Version != "" {
		fmt.Fprint(out, " ", m.Version)
	}
	if !m.Main {
		fmt.Fprint(out, " (dependency)")
	}
	fmt.Fprintln(out)
	var class Class
	for _, f := range m.Findings {
		if f.Class == Works && !all {
			break
		}
		if f.Class != class {
			class = f.Class
			fmt.Fprintf(out, "  %s\n", headings[class])
		}
		fmt.Fprintf(out, "    %s:%d:%d: %s", f.File, f.Line, f.Column, f.Code)
		if f.Function != "" {
			fmt.Fprintf(out, "  in %s", f.Function)
		}
		fmt.Fprintf(out, "\n        %s\n", f.Why)
		if f.Write != "" {
			fmt.Fprintf(out, "        write: %s\n", f.Write)
		}
	}
	fmt.Fprintln(out)
}

var headings = map[Class]string{
	Fails:  "fails",
	Silent: "loses a feature silently",
	Works:  "works",
}
