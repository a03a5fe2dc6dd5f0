// Command importer imports netring and does not use it. A test runs the command without
// free descriptors.
package main

import (
	"fmt"
	"runtime"

	_ "github.com/netring-go/netring"
)

func main() { fmt.Println(runtime.NumGoroutine(), "goroutine") }
