package netring

import (
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// checkout skips the test where the repository's other modules are missing, as in the
// module cache.
func checkout(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.FromSlash("bench/go.mod")); err != nil {
		t.Skipf("this is not a checkout of the repository: %v", err)
	}
}

// goFiles returns the paths of the repository's Go files, with slashes.
func goFiles(t *testing.T) (paths []string) {
	t.Helper()
	must(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if err == nil && strings.HasSuffix(name, ".go") {
			paths = append(paths, filepath.ToSlash(name))
		}
		return err
	}))
	return paths
}

// read returns the text of a file.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	must(t, err)
	return string(text)
}

// tests returns the names of all test functions in the repository.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, name := range goFiles(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(name), nil, parser.SkipObjectResolution)
		must(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

var (
	contractRow  = regexp.MustCompile(`(?m)^(\d+)\. \*\*`)
	contractTest = regexp.MustCompile("`(Test\\w+)`")
	rowOfTest    = regexp.MustCompile(`^TestRow(\d\d)`)
)

// Each row of docs/contract.md names the tests that check it, and each TestRowNN stands
// in row NN.
func TestContractRows(t *testing.T) {
	text := read(t, "docs/contract.md")
	rows := contractRow.FindAllStringSubmatchIndex(text, -1)
	if len(rows) == 0 {
		t.Fatal("docs/contract.md has no rows")
	}
	exist, inRow := tests(t), map[string]int{}
	for i, at := range rows {
		n, err := strconv.Atoi(text[at[2]:at[3]])
		must(t, err)
		if n != i+1 {
			t.Errorf("row %d of docs/contract.md has the number %d", i+1, n)
		}
		end := len(text)
		if i+1 < len(rows) {
			end = rows[i+1][0]
		}
		named := contractTest.FindAllStringSubmatch(text[at[0]:end], -1)
		if len(named) == 0 {
			t.Errorf("row %d of docs/contract.md names no test", n)
		}
		for _, m := range named {
			name := m[1]
			if !exist[name] {
				t.Errorf("row %d of docs/contract.md names %s, which does not exist", n, name)
			}
			if before, ok := inRow[name]; ok {
				t.Errorf("%s stands in rows %d and %d of docs/contract.md", name, before, n)
			}
			inRow[name] = n
		}
	}
	for _, name := range slices.Sorted(maps.Keys(exist)) {
		m := rowOfTest.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		must(t, err)
		if inRow[name] != n {
			t.Errorf("%s does not stand in row %d of docs/contract.md", name, n)
		}
	}
}

// cells returns the cells of a line of a Markdown table, nil if line is none.
func cells(line string) (cells []string) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(line), "|")
	if !ok {
		return nil
	}
	for _, cell := range strings.Split(strings.TrimSuffix(inner, "|"), "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells
}

// rateRatios returns the ratios of requests/s to net in bench/RESULTS.md by setting, then
// by workload and server.
func rateRatios(t *testing.T) map[string]map[[2]string]string {
	t.Helper()
	ratios := map[string]map[[2]string]string{}
	var setting string
	for line := range strings.Lines(read(t, "bench/RESULTS.md")) {
		if title, ok := strings.CutPrefix(line, "#"); ok {
			setting, ok = strings.CutSuffix(strings.Trim(title, "# \n"), ": Throughput and CPU time")
			if !ok {
				setting = ""
			}
			continue
		}
		row := cells(line)
		if setting == "" || len(row) < 4 {
			continue
		}
		if ratios[setting] == nil {
			ratios[setting] = map[[2]string]string{}
			if row[0] != "workload" || row[1] != "server" || row[2] != "requests/s" || row[3] != "÷ net" {
				t.Fatalf("the table %q of bench/RESULTS.md has the columns %q", setting, row)
			}
		}
		ratios[setting][[2]string{row[0], row[1]}] = row[3]
	}
	return ratios
}

var (
	fenced  = regexp.MustCompile("(?s)```.*?```")
	version = regexp.MustCompile(`(Go|Linux) \d+\.\d+`)
	figure  = regexp.MustCompile(`\d+\.\d+|\d+ ?[%×]`)
	ratio   = regexp.MustCompile(`\d+(\.\d+)? ?×|\d+\.\d+ \(\d+\.\d+–`)
)

// The README quotes figures in one table, and bench/RESULTS.md has the same figures for
// the same workload, server and setting.
func TestReadmeFigures(t *testing.T) {
	checkout(t)
	const most = 6 // that the README may quote
	ratios := rateRatios(t)
	var head []string
	quoted := 0
	for line := range strings.Lines(fenced.ReplaceAllString(read(t, "README.md"), "")) {
		row := cells(line)
		if len(row) > 2 && row[0] == "workload" && row[1] == "server" {
			head = row
			continue
		}
		if row == nil {
			head = nil
		}
		if head == nil {
			for _, f := range figure.FindAllString(version.ReplaceAllString(line, ""), -1) {
				t.Errorf("README.md has the figure %s outside its table: %s", f, line)
			}
			continue
		}
		if len(row) != len(head) {
			t.Errorf("README.md has a row of %d cells in a table of %d columns: %s", len(row), len(head), line)
			continue
		}
		for i := 2; i < len(row) && strings.Trim(row[i], "-:") != ""; i++ {
			quoted++
			if want, ok := ratios[head[i]][[2]string{row[0], row[1]}]; !ok || row[i] != want {
				t.Errorf("README.md has %s for %q, %s, %s; bench/RESULTS.md has %q", row[i], row[0], row[1], head[i], want)
			}
		}
	}
	if quoted == 0 || quoted > most {
		t.Errorf("README.md quotes %d figures; quote 1 to %d", quoted, most)
	}
}

// Ratios to package net stand in bench/RESULTS.md. The README quotes some, see
// TestReadmeFigures. docs/performance.md has the ratios that decided the design. Its part
// on what bounds the gain has none, because its sections are about rows of the results.
func TestRatiosStandInOnePlace(t *testing.T) {
	const decisions, bounds = "docs/performance.md", "## What bounds the gain"
	for _, doc := range documents(t) {
		text := read(t, doc)
		switch doc {
		case "README.md":
			continue
		case decisions:
			_, after, ok := strings.Cut(text, bounds)
			if !ok {
				t.Fatalf("%s has no heading %q", doc, bounds)
			}
			text = after
		}
		for line := range strings.Lines(text) {
			if r := ratio.FindString(line); r != "" {
				t.Errorf("%s has the ratio %s; name the row of bench/RESULTS.md instead: %s", doc, r, line)
			}
		}
	}
}

var (
	link   = regexp.MustCompile(`\]\(([^)#]*)(#?[^)]*)\)`)
	goFile = regexp.MustCompile("`([\\w./*-]+\\.go)`")
)

// documents returns the paths of the documents for readers.
func documents(t *testing.T) []string {
	t.Helper()
	docs, err := filepath.Glob(filepath.FromSlash("docs/*.md"))
	must(t, err)
	for i := range docs {
		docs[i] = filepath.ToSlash(docs[i])
	}
	return append(docs, "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
}

// Links lead to files that exist, and the Go files that documents name exist.
func TestDocumentsName(t *testing.T) {
	checkout(t)
	files := goFiles(t)
	exists := func(pattern string) bool {
		return slices.ContainsFunc(files, func(file string) bool {
			if !strings.Contains(pattern, "/") {
				file = path.Base(file)
			}
			ok, err := path.Match(pattern, file)
			must(t, err)
			return ok
		})
	}
	for _, doc := range documents(t) {
		text := read(t, doc)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := m[1]
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.FromSlash(path.Join(path.Dir(doc), target))); err != nil {
				t.Errorf("%s has a link to %s: %v", doc, target, err)
			}
		}
		for _, m := range goFile.FindAllStringSubmatch(text, -1) {
			if !exists(m[1]) {
				t.Errorf("%s names %s, which does not exist", doc, m[1])
			}
		}
	}
}

// Documents have lines of at most 120 characters and tables of at most six columns, and
// the README has at most 700 words.
func TestDocumentsForm(t *testing.T) {
	const maxLine, maxColumns, maxWords = 120, 6, 700
	for _, doc := range documents(t) {
		n := 0
		for line := range strings.Lines(read(t, doc)) {
			n++
			if got := utf8.RuneCountInString(strings.TrimRight(line, "\r\n")); got > maxLine {
				t.Errorf("%s:%d has %d characters; use at most %d", doc, n, got, maxLine)
			}
			if got := len(cells(line)); got > maxColumns {
				t.Errorf("%s:%d has %d columns; use at most %d", doc, n, got, maxColumns)
			}
		}
	}
	if got := len(strings.Fields(read(t, "README.md"))); got > maxWords {
		t.Errorf("README.md has %d words; use at most %d", got, maxWords)
	}
}

// anchor returns the fragment of a link to a heading.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(heading)) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return "#" + b.String()
}

// anchors returns the fragments that a document has.
func anchors(t *testing.T, doc string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for line := range strings.Lines(fenced.ReplaceAllString(read(t, doc), "")) {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			all[anchor(heading)] = true
		}
	}
	return all
}

// Links to a part of a document lead to one of its headings.
func TestDocumentsAnchors(t *testing.T) {
	checkout(t)
	links := 0
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, doc), ""), -1) {
			target, fragment := m[1], m[2]
			if fragment == "" || strings.Contains(target, "://") {
				continue
			}
			links++
			if target = path.Join(path.Dir(doc), target); m[1] == "" {
				target = doc
			}
			if !anchors(t, target)[fragment] {
				t.Errorf("%s has a link to %s%s, which is no heading there", doc, target, fragment)
			}
		}
	}
	if links == 0 {
		t.Error("no document has a link to a heading")
	}
}

// Every document is reachable: docs/README.md links to it.
func TestDocumentsIndex(t *testing.T) {
	const index = "docs/README.md"
	linked := map[string]bool{"README.md": true, index: true} // where readers come from
	for _, m := range link.FindAllStringSubmatch(read(t, index), -1) {
		linked[path.Join(path.Dir(index), m[1])] = true
	}
	for _, doc := range documents(t) {
		if !linked[doc] {
			t.Errorf("%s has no link to %s", index, doc)
		}
	}
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// Go code in documents is formatted and has no syntax errors.
func TestDocumentsCode(t *testing.T) {
	for _, doc := range documents(t) {
		for _, m := range goBlock.FindAllStringSubmatch(read(t, doc), -1) {
			formatted, err := format.Source([]byte(m[1]))
			if err != nil {
				t.Errorf("%s: %v in\n%s", doc, err, m[1])
			} else if string(formatted) != m[1] {
				t.Errorf("%s has code that gofmt changes:\n%s", doc, m[1])
			}
		}
	}
}

// docs/support.md and the module name the same version of Go.
func TestSupportedGo(t *testing.T) {
	m := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if m == nil || !strings.Contains(read(t, "docs/support.md"), "| Go | "+m[1]+" and later;") {
		t.Errorf("go.mod has %q, and docs/support.md another version", m)
	}
}
