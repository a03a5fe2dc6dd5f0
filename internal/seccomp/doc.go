// Package seccomp puts the process behind a seccomp filter, like a container runtime,
// for tests and benchmarks. See seccomp(2).
package seccomp
