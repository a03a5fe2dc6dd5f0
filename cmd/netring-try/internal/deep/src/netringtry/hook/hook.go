//go:build netring_try_overlay

// Package hook has internal/poll give its stream sockets to netring's reactors.
package hook

import (
	"fmt"
	"internal/poll"
	"internal/runtime/exithook"
	"os"
	"unicode/utf8"

	"netringtry/github.com/netring-go/netring/reactor/deep"
	"netringtry/stats"
)

func init() {
	poll.NetringOpen = open
	stats.Start(encodeReport)
	if os.Getenv(deep.StatsEnv) == "1" {
		exithook.Add(exithook.Hook{F: printReport, RunOnFailure: true})
	}
}

func open(sysfd int) poll.NetringFD {
	if fd := deep.Open(sysfd); fd != nil {
		return fd
	}
	return nil
}

func printReport() {
	// The process ends; there is nobody to tell that it could not be written.
	_, _ = os.Stderr.WriteString("netring: deep mode: " + deep.Report() + "\n")
}

// encodeReport returns the counters in JSON, for netring-try.
func encodeReport() ([]byte, error) {
	s := deep.ReadStats()
	reason := ""
	if s.Reason != nil {
		reason = s.Reason.Error()
	}
	return fmt.Appendf(nil, `{"deep": true, "pid": %d, "program": %s, "engine": %s, "engine_reason": %s, "sockets": %d, `+
		`"stats": {"reactors": %d, "open": %d, "bytes_in": %d, "bytes_out": %d, "batches": %d, "ops": %d, "direct": %d}}`+"\n",
		os.Getpid(), quote(os.Args[0]), quote(s.Engine.String()), quote(reason), s.Sockets,
		s.Reactors, s.Open, s.BytesIn, s.BytesOut, s.Batches, s.Ops, s.Direct), nil
}

// quote returns a string in JSON. What is no UTF-8 becomes U+FFFD.
func quote(s string) []byte {
	text := []byte{'"'}
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' {
			text = fmt.Appendf(text, `\u%04x`, r)
		} else {
			text = utf8.AppendRune(text, r)
		}
	}
	return append(text, '"')
}
