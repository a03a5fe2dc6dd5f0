package deep

import (
	"bufio"
	"bytes"
	"go/build/constraint"
	"slices"
	"strings"
)

// The operating systems other than Linux, and the architectures, that go/build knows in the
// names of files.
var (
	systems = strings.Fields("aix android darwin dragonfly freebsd hurd illumos ios js nacl netbsd openbsd " +
		"plan9 solaris wasip1 windows zos")
	architectures = strings.Fields("386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le " +
		"mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm")
)

// foreignName reports whether a file's name excludes it from builds for Linux and, unless
// goarch is empty, that architecture.
func foreignName(name, goarch string) bool {
	base, _, _ := strings.Cut(name, ".")
	parts := strings.Split(base, "_")
	return slices.ContainsFunc(parts[max(1, len(parts)-2):], func(tag string) bool { return foreignTag(tag, goarch) })
}

// foreignTag reports whether a build tag is never set for Linux, gc and, unless goarch is
// empty, that architecture.
func foreignTag(tag, goarch string) bool {
	return tag == "gccgo" || slices.Contains(systems, tag) ||
		goarch != "" && tag != goarch && slices.Contains(architectures, tag)
}

// mayBuild reports whether a file's build constraint can be met for Linux, gc and the
// architecture. Tags that a build may or may not have, such as race, are left open.
func mayBuild(src []byte, goarch string) bool {
	lines := bufio.NewScanner(bytes.NewReader(src))
	for lines.Scan() {
		line := lines.Text()
		if !constraint.IsGoBuild(line) {
			if strings.HasPrefix(line, "package ") {
				break
			}
			continue
		}
		expr, err := constraint.Parse(line)
		if err != nil {
			return true // for the compiler to report
		}
		can, _ := outcomes(expr, goarch)
		return can
	}
	return true
}

// outcomes returns whether expr can be true, and whether it can be false. It takes its
// parts for independent.
func outcomes(expr constraint.Expr, goarch string) (canHold, canFail bool) {
	switch e := expr.(type) {
	case *constraint.NotExpr:
		hold, fail := outcomes(e.X, goarch)
		return fail, hold
	case *constraint.AndExpr:
		hold1, fail1 := outcomes(e.X, goarch)
		hold2, fail2 := outcomes(e.Y, goarch)
		return hold1 && hold2, fail1 || fail2
	case *constraint.OrExpr:
		hold1, fail1 := outcomes(e.X, goarch)
		hold2, fail2 := outcomes(e.Y, goarch)
		return hold1 || hold2, fail1 && fail2
	case *constraint.TagExpr:
		switch {
		case foreignTag(e.Tag, goarch):
			return false, true
		case slices.Contains([]string{"linux", "unix", "gc", goarch}, e.Tag):
			return true, false
		}
	}
	return true, true
}
