package main

import (
	"fmt"
	"slices"
	"strings"
)

// options are netring-try's own flags. They stand before the first argument that is not a
// flag, in any order with those of the go command.
type options struct {
	dial    bool   // dialled connections, too
	stats   bool   // print what netring did
	netring string // directory or version of netring
}

// request is a command line, taken apart.
type request struct {
	opts    options
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

// parseArgs takes apart the arguments of a subcommand.
func parseArgs(args []string) (*request, error) {
	r := &request{}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" {
		name, value, hasValue := cutFlag(args[0])
		flag := args[:1]
		if name == "" || name == "args" {
			break // "--", or the end of go test's own flags
		}
		own, err := r.opts.set(name, value, hasValue, args[1:])
		if err != nil {
			return nil, err
		}
		takesValue := !hasValue && !isBoolFlag(name)
		if own {
			takesValue = !hasValue && name == "netring"
		}
		if takesValue {
			if len(args) < 2 {
				return nil, fmt.Errorf("the flag %s needs a value", args[0])
			}
			flag, value = args[:2], args[1]
		}
		args = args[len(flag):]
		switch {
		case own:
		case name == "C":
			r.chdir = value
		case name == "overlay":
			r.overlay = value
		default:
			r.flags = append(r.flags, flag...)
			if slices.Contains(listFlags, name) {
				r.list = append(r.list, flag...)
			}
		}
	}
	r.rest = args
	return r, nil
}

// cutFlag returns the name and value of -name, --name or -name=value.
func cutFlag(arg string) (name, value string, hasValue bool) {
	name = strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return strings.Cut(name, "=")
}

// set sets one of netring-try's own flags. It reports whether the name is one.
func (o *options) set(name, value string, hasValue bool, next []string) (own bool, err error) {
	var target *bool
	switch name {
	case "dial":
		target = &o.dial
	case "stats":
		target = &o.stats
	case "netring":
		if !hasValue && len(next) > 0 {
			value = next[0]
		}
		if o.netring = value; value == "" {
			return true, fmt.Errorf("-netring has no value; use a directory with netring's source, or a version")
		}
		return true, nil
	default:
		return false, nil
	}
	switch {
	case !hasValue || value == "true":
		*target = true
	case value == "false":
		*target = false
	default:
		return true, fmt.Errorf("-%s is %q; use true or false", name, value)
	}
	return true, nil
}

func isBoolFlag(name string) bool {
	return slices.Contains(boolFlags, strings.TrimPrefix(name, "test."))
}

// eachFlag calls f for each flag in args, with the number of arguments that the flag takes,
// and skips other arguments.
func eachFlag(args []string, f func(i, n int, name, value string)) {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
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
