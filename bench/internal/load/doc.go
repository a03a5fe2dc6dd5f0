// Package load is what the benchmarks' load generators have in common: a turn's
// figures, an epoll loop, sockets of the loopback device, and a generator of small
// HTTP requests. A load generator is one thread that makes system calls by itself, to
// load the machine as little as possible.
package load
