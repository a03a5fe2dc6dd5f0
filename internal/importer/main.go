// Command importer imports netring and does not use it. A test looks at the process and
// runs the command without free descriptors.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"

	_ "github.com/netring-go/netring"
)

func main() {
	fmt.Println(runtime.NumGoroutine(), "goroutine")
	// The process lasts until its standard input ends. A failure ends the process, too.
	_, _ = io.Copy(io.Discard, os.Stdin)
}
