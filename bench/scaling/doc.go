// Scaling measures how cost grows with connections, rings and listeners, and
// what the locks and shared cache lines of the library cost. docs/scaling.md is
// about its results:
//
//	cd bench && go run ./scaling
//
// Servers are child processes, the load is one thread of this one. In each
// section the servers take turns, in random order, for a few rounds; figures are
// medians. It ends within a minute.
package main
