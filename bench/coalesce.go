package main

import "github.com/netring-go/netring"

// coalesce makes the connections of lc collect small writes, for the
// implementations whose names end in "+cw".
func coalesce(lc *netring.ListenConfig) { lc.WriteBuffer = 64 << 10 }
