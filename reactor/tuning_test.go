package reactor

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every constant of tuning.go says its unit, how to measure it and which test it has; the
// test exists, and the constant is used.
func TestTuningIsDocumented(t *testing.T) {
	file, err := parser.ParseFile(gotoken.NewFileSet(), "tuning.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var tests, code strings.Builder
	for _, pattern := range []string{"*.go", "engine/*.go", "../*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				tests.Write(text)
			} else if name != "tuning.go" {
				code.Write(text)
			}
		}
	}
	form := regexp.MustCompile(`(?s)\A(\w+) .+\n\nUnit: [^\n]+\n(?:Rows: [^\n]+\nTry: \S+|Measure: [^\n]+)\nTest: (\w+)\n\z`)
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != gotoken.CONST {
			continue
		}
		for _, s := range g.Specs {
			c := s.(*ast.ValueSpec)
			name := c.Names[0].Name
			m := form.FindStringSubmatch(c.Doc.Text())
			switch {
			case m == nil || m[1] != name:
				t.Errorf("the comment of %s does not have the form of the others:\n%s", name, c.Doc.Text())
			case !strings.Contains(tests.String(), "func "+m[2]+"("):
				t.Errorf("%s: there is no %s", name, m[2])
			case !regexp.MustCompile(`\b` + name + `\b`).MatchString(code.String()):
				t.Errorf("%s is not used", name)
			}
		}
	}
}
