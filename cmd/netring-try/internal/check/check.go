// Package check finds the places where package net's concrete types decide what a
// program does, and says what happens there when the value is netring's. It reads the
// user's packages and their dependencies; it runs nothing.
package check

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// ErrFound is the error of Run with -fail if something fails.
var ErrFound = errors.New("some type assertions fail with netring")

type options struct {
	dir      string
	tags     string
	std      bool
	all      bool
	asJSON   bool
	fail     bool
	lenient  bool
	patterns []string
}

const usage = `Usage: check [flags] [packages]

Lists where a package, or one that it imports, asks for *net.TCPConn, *net.UnixConn,
*net.TCPListener or *net.UnixListener, and what happens there with netring's types:

  fails                     it panics, or returns or logs an error
  loses a feature silently  it skips something, such as a socket option
  works                     netring's types do not get there, the code takes them as well,
                            or the compiler says what to change

Packages are named as for go build; without any, it is ./... . It reads the code for
Linux, without tests. In your own module, net.Listen and net.Dial count as replaced by
netring's. What it cannot follow, such as interfaces and function values, counts as
netring's, too.

Flags:
`

// Run searches the packages that args names, and prints what it finds. Its error says
// what is wrong with the packages, or is ErrFound.
func Run(args []string, stdout, stderr io.Writer) error {
	o := options{}
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.BoolVar(&o.all, "all", false, "also list what works")
	fs.BoolVar(&o.fail, "fail", false, "return an error if something fails")
	fs.BoolVar(&o.lenient, "e", false, "go on despite packages that are missing or do not compile, with warnings")
	fs.BoolVar(&o.asJSON, "json", false, "print JSON, with everything")
	fs.BoolVar(&o.std, "std", false, "also search the standard library")
	fs.StringVar(&o.dir, "C", "", "the `directory` to start in")
	fs.StringVar(&o.tags, "tags", "", "build `tags`, separated by commas")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(stdout)
		if _, err := io.WriteString(stdout, usage); err != nil {
			return err
		}
		fs.PrintDefaults()
		return nil
	} else if err != nil {
		return fmt.Errorf("check: %w; -h lists the flags", err)
	}
	if o.patterns = fs.Args(); len(o.patterns) == 0 {
		o.patterns = []string{"./..."}
	}
	if err := run(&o, stdout, stderr); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return nil
}

func run(o *options, stdout, stderr io.Writer) error {
	p, err := load(context.Background(), o)
	if err != nil {
		return err
	}
	r := p.result()
	if o.asJSON {
		err = r.writeJSON(stdout)
	} else {
		for _, w := range r.Warnings {
			fmt.Fprintln(stderr, "warning:", w)
		}
		err = r.writeText(stdout, o.all)
	}
	if err != nil {
		return err
	}
	if o.fail && r.Fails > 0 {
		return fmt.Errorf("%w: %d places", ErrFound, r.Fails)
	}
	return nil
}
