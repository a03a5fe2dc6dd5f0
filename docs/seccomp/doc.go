// Command seccomp writes a container's seccomp profile that admits io_uring: the
// default profile of Docker, from the module github.com/moby/profiles/seccomp,
// with the three calls of io_uring added.
//
//	go run . > netring.json
//
// netring.json beside it is its output.
package main
