// Command netring-try runs, builds and tests a Go program on netring, without a changed line
// in the program or its dependencies:
//
//	netring-try run ./cmd/server -addr :8080
//	netring-try test ./...
//
// It calls the go command with an overlay for package net of the toolchain in use, in which
// net.Listen and, with -dial, net.Dial call netring. README.md has the details.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/netring-go/netring/cmd/netring-try/internal/check"
)

// command is a subcommand.
type command struct {
	name, args, short string
	run               func(args []string) error
}

var commands = []command{
	{"run", "[flags] package [arguments]", "build a program on netring and run it, like go run", cmdRun},
	{"build", "[flags] [packages]", "build programs on netring, like go build", cmdBuild},
	{"test", "[flags] [packages]", "run tests on netring, like go test", cmdTest},
	{"compare", "[flags] package [arguments] -- command", "measure a program on netring and on package net", cmdCompare},
	{"check", "[flags] [packages]", "list the code that depends on package net's types", cmdCheck},
}

func main() {
	err := run(os.Args[1:], os.Stdout)
	var status exitStatus
	switch {
	case err == nil:
	case errors.As(err, &status):
		os.Exit(int(status))
	default:
		fmt.Fprintln(os.Stderr, "netring-try:", err)
		os.Exit(1)
	}
}

func cmdCheck(args []string) error { return check.Run(args, os.Stdout, os.Stderr) }

// run runs the subcommand that the arguments name.
func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		usage(os.Stderr)
		return exitStatus(2)
	}
	if args[0] == "help" || isHelp(args[0]) {
		usage(out)
		return nil
	}
	for _, c := range commands {
		switch {
		case c.name != args[0]:
		case len(args) > 1 && isHelp(args[1]) && c.name != "check": // which has its own
			usage(out)
			return nil
		default:
			return c.run(args[1:])
		}
	}
	usage(os.Stderr)
	return fmt.Errorf("the command %q is unknown", args[0])
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func usage(w io.Writer) {
	fmt.Fprintln(w, "netring-try runs a Go program on netring without changing it.")
	fmt.Fprintln(w, "\nUsage: netring-try command")
	for _, c := range commands {
		fmt.Fprintf(w, "\n  %s %s\n\t%s\n", c.name, c.args, c.short)
	}
	fmt.Fprint(w, `
The flags are those of the go command, and before the packages also:

  -deep          netring below package net's own types (experimental, see docs/deep.md)
  -dial          dialled connections run on netring, too
  -stats         print what netring did when the program has ended (run)
  -netring DIR   use netring in this directory, or of this version
`)
}
