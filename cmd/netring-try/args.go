package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
)

// request is a command line, taken apart.
type request struct {
	chdir   string   // the directory of -C
	flags   []string // flags for the go command, without -C
	overlay string   // value of -overlay, which is not in flags
	list    []string // the flags that select files and modules: for go list, too
	rest    []string // what follows the flags: packages, and the program's arguments
}

// boolFlags are the go command's flags that have no value.
var boolFlags = []string{
	"a", "asan", "cover", "i", "json", "linkshared", "modcacherw", "msan", "n", "race", "trimpath", "v", "work", "x",
	"artifacts", "benchmem", "c", "failfast", "fullpath", "short", "buildvcs",
}

// listFlags are the build flags that change which files or modules a build uses.
var listFlags = []string{"asan", "msan", "race", "compiler", "mod", "modfile", "tags"}

// parseArgs takes apart the arguments of a subcommand. own are netring-try's own flags. They
// stand before the first argument that is no flag, in any order with the go command's.
func parseArgs(args []string, own *flag.FlagSet) (*request, error) {
	r := &request{}
	for len(args) > 0 && isFlag(args[0]) {
		name, value, hasValue := cutFlag(args[0])
		if name == "args" {
			break // the end of go test's own flags
		}
		mine := own.Lookup(name)
		isBool := mine == nil && isBoolFlag(name) || mine != nil && isBoolValue(mine.Value)
		n := 1
		switch {
		case hasValue:
		case isBool:
			value = "true"
		case len(args) < 2:
			return nil, fmt.Errorf("the flag %s needs a value", args[0])
		default:
			n, value = 2, args[1]
		}
		if mine != nil {
			if err := own.Set(name, value); err != nil {
				return nil, fmt.Errorf("the value %q of the flag -%s is invalid: %w", value, name, err)
			}
		} else {
			r.add(name, value, args[:n])
		}
		args = args[n:]
	}
	r.rest = args
	return r, nil
}

// add adds a flag of the go command. args are the arguments that make it up.
func (r *request) add(name, value string, args []string) {
	switch name {
	case "C":
		r.chdir = value
	case "overlay":
		r.overlay = value
	default:
		r.flags = append(r.flags, args...)
		if slices.Contains(listFlags, name) {
			r.list = append(r.list, args...)
		}
	}
}

// isBoolValue reports whether a flag of package flag needs no value.
func isBoolValue(v flag.Value) bool {
	b, ok := v.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// cutFlag returns the name and value of -name, --name or -name=value.
func cutFlag(arg string) (name, value string, hasValue bool) {
	name = strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return strings.Cut(name, "=")
}

// isBoolFlag reports whether a flag of the go command needs no value.
func isBoolFlag(name string) bool {
	return slices.Contains(boolFlags, strings.TrimPrefix(name, "test."))
}

// eachFlag calls f for each flag in args, with the number of arguments that the flag takes.
func eachFlag(args []string, f func(i, n int, name, value string)) {
	for i := 0; i < len(args); i++ {
		if !isFlag(args[i]) {
			continue
		}
		name, value, hasValue := cutFlag(args[i])
		n := 1
		if !hasValue && !isBoolFlag(name) && i+1 < len(args) {
			n, value = 2, args[i+1]
		}
		f(i, n, name, value)
		i += n - 1
	}
}

// operands returns the indexes of the arguments that are neither flags nor values of flags.
func operands(args []string) []int {
	var found []int
	next := 0
	eachFlag(args, func(i, n int, _, _ string) {
		for ; next < i; next++ {
			found = append(found, next)
		}
		next = i + n
	})
	for ; next < len(args); next++ {
		found = append(found, next)
	}
	return found
}

func isFlag(arg string) bool { return strings.HasPrefix(arg, "-") && arg != "-" && arg != "--" }

// flagValue returns the last value of the named flag.
func flagValue(args []string, name string) (value string, found bool) {
	eachFlag(args, func(_, _ int, flag, v string) {
		if flag == name {
			value, found = v, true
		}
	})
	return value, found
}

func hasFlag(args []string, name string) bool {
	_, found := flagValue(args, name)
	return found
}

// withoutFlag returns args without the named flag and its value.
func withoutFlag(args []string, name string) []string {
	var kept []string
	done := 0
	eachFlag(args, func(i, n int, flag, _ string) {
		if flag == name {
			kept = append(kept, args[done:i]...)
			done = i + n
		}
	})
	return append(kept, args[done:]...)
}

// laterFlags returns the flags among args that change which files a build uses. `go test`
// takes flags after the packages, too.
func laterFlags(args []string) []string {
	var found []string
	eachFlag(args, func(i, n int, name, _ string) {
		if slices.Contains(listFlags, name) {
			found = append(found, args[i:i+n]...)
		}
	})
	return found
}

// cutTestArgs separates what follows -args, for the test binary only.
func cutTestArgs(args []string) (before, after []string) {
	i := slices.IndexFunc(args, func(a string) bool { return a == "-args" || a == "--args" })
	if i < 0 {
		return args, nil
	}
	return args[:i], args[i:]
}
