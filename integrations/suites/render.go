package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

//go:embed page.md.tmpl
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// maxLine is the longest line of a document.
const maxLine = 120

// pageData is what the page shows.
type pageData struct {
	Go    string
	Rows  []string
	Left  []string
	Known []string
	Open  []string // without a reason
	Net   []string
	Flaky []string
	Check []string
}

// render returns the page for the results of the suites.
func render(st *store, suites []suite, table []known, programs []program) ([]byte, error) {
	v := judge(st, suites, table)
	d := pageData{Known: bullets(v.Differences, true), Open: bullets(v.Differences, false)}
	for _, s := range suites {
		r := st.Suites[s.name]
		if r == nil || r.Columns[columnNet] == nil {
			continue
		}
		d.Go = r.Columns[columnNet].Go
		d.Rows = append(d.Rows, row(s, r))
		for _, l := range s.left {
			d.Left = append(d.Left, wrap(fmt.Sprintf("- %s: `%s`: %s", s.name, l.test, l.why)))
		}
	}
	for _, n := range v.AlsoNet {
		d.Net = append(d.Net, wrap(fmt.Sprintf("- %s: `%s` (%s)", n.Suite, n.Test, titles(n.Columns))))
	}
	for _, f := range v.Unsteady {
		var in []string
		for _, o := range f.Columns {
			in = append(in, fmt.Sprintf("%s %d of %d", title(o.Column), o.Failed, o.Runs))
		}
		d.Flaky = append(d.Flaky, wrap(fmt.Sprintf("- %s: `%s`: %s", f.Suite, f.Test, strings.Join(in, "; "))))
	}
	for _, p := range programs {
		if c := st.Checks[p.name]; c != nil {
			_, version, _ := strings.Cut(c.Module, "@")
			d.Check = append(d.Check, fmt.Sprintf("| %s | %s | %d | %d | %d | %s |", p.name, version, c.Fails, c.Silent, c.Works, c.Date))
		}
	}
	var b bytes.Buffer
	if err := page.Execute(&b, d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// judge compares all suites that have results.
func judge(st *store, suites []suite, table []known) *verdict {
	v := &verdict{}
	for _, s := range suites {
		if r := st.Suites[s.name]; r != nil {
			v.compare(s, r, table)
		}
	}
	return v
}

// row returns a line of the table of suites.
func row(s suite, r *suiteResult) string {
	version := "the toolchain's"
	if _, v, ok := strings.Cut(r.Module, "@"); ok {
		version = v
	}
	count := func(name string) string {
		if c := r.Columns[name]; c != nil {
			return fmt.Sprint(len(c.Failed))
		}
		return "–"
	}
	pair := func(names []string) string { return count(names[0]) + ", " + count(names[1]) }
	return fmt.Sprintf("| %s | %s | %d | %s | %s | %s |",
		s.name, version, r.Columns[columnNet].Tests, count(columnNet), pair(dial), pair(deep))
}

// bullets returns the differences that have, or lack, a reason. Those of a suite with the same
// columns and reason stand together.
func bullets(ds []difference, explained bool) []string {
	type group struct{ suite, columns, why string }
	var order []group
	tests := map[group][]string{}
	for _, d := range ds {
		if (d.Why != "") != explained {
			continue
		}
		g := group{d.Suite, titles(d.Columns), d.Why}
		if tests[g] == nil {
			order = append(order, g)
		}
		tests[g] = append(tests[g], "`"+d.Test+"`")
	}
	var list []string
	for _, g := range order {
		text := fmt.Sprintf("- **%s**, %s (%s)", g.suite, strings.Join(tests[g], ", "), g.columns)
		switch {
		case explained && len(tests[g]) > 1 && unicode.IsLower(rune(g.why[0])): // the tests are its subject
			text += ": each " + g.why
		case explained:
			text += ": " + g.why
		}
		list = append(list, wrap(text))
	}
	return list
}

// titles returns the page's names of columns. Both engines together have a shorter one.
func titles(names []string) string {
	var list []string
	for i := 0; i < len(names); i++ {
		switch {
		case i+1 < len(names) && names[i] == dial[0] && names[i+1] == dial[1]:
			list = append(list, "`-dial`")
			i++
		case i+1 < len(names) && names[i] == deep[0] && names[i+1] == deep[1]:
			list = append(list, "`-deep`")
			i++
		default:
			list = append(list, title(names[i]))
		}
	}
	return strings.Join(list, ", ")
}

func title(name string) string {
	for _, c := range columns {
		if c.name == name {
			return c.title
		}
	}
	return name
}

// wrap breaks an item of a list into lines of at most maxLine characters.
func wrap(text string) string {
	var b strings.Builder
	n := 0
	for i, word := range strings.Fields(text) {
		size := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case n+1+size > maxLine:
			b.WriteString("\n  ")
			n = 2
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += size
	}
	return b.String()
}
