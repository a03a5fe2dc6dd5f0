// Command importer imports netring and does nothing with it. A test runs it where
// nothing can be opened.
package main

import (
	"fmt"
	"runtime"

	_ "github.com/netring-go/netring"
)

func main() { fmt.Println(runtime.NumGoroutine(), "goroutine") }
