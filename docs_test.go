package netring

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goFiles returns the paths of the repository's Go files, with slashes.
func goFiles(t *testing.T) (paths []string) {
	t.Helper()
	must(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if err == nil && strings.HasSuffix(path, ".go") {
			paths = append(paths, filepath.ToSlash(path))
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
	for _, path := range goFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(path), nil, parser.SkipObjectResolution)
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
