package migrating

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// normal returns text without indentation and blank lines.
func normal(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// Each block of Go code in docs/migrating.md stands in a file of this package.
func TestPage(t *testing.T) {
	page, err := os.ReadFile(filepath.FromSlash("../migrating.md"))
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.WriteString(normal(string(text)))
	}
	blocks := goBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 10 {
		t.Fatalf("docs/migrating.md has %d blocks of Go code", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(code.String(), "\n"+normal(b[1])) {
			t.Errorf("no file has this code of docs/migrating.md:\n%s", b[1])
		}
	}
}
