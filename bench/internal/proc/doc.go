// Package proc starts the servers and load generators of the benchmarks as child
// processes, on the CPUs that they are to run on, and says how much CPU time they use.
package proc
