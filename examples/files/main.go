// Files serves a directory with net/http over netring: whole files and ranges of them.
// The content goes from the page cache to the socket by sendfile(2), without passing
// through the program.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/netring-go/netring/examples/internal/listen"
)

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:8081")
	dir := flag.String("dir", ".", "`directory` to serve")
	flag.Parse()
	if err := run(flags, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags, dir string) error {
	if info, err := os.Stat(dir); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("-dir is %s, which is no directory", dir)
	}
	ln, err := flags.Listen() // netring.Listen("tcp", addr) in your program
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: handler(dir), ReadHeaderTimeout: 10 * time.Second}
	return flags.Run(srv, fmt.Sprintf("curl -fsS http://%s/", ln.Addr()), ln)
}

// handler serves a directory. http.Dir opens files as *os.File, which Conn.ReadFrom
// recognises. An fs.FS, as http.FileServerFS takes it, hides them: their content would be
// copied.
func handler(dir string) http.Handler { return http.FileServer(http.Dir(dir)) }
