// Package seccomp puts the process behind a seccomp filter, as containers do, for
// tests and benchmarks. See seccomp(2).
package seccomp
