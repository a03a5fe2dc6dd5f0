package netring

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// networks are the networks that netring serves.
var networks = []string{"tcp", "tcp4", "tcp6", "unix", "unixpacket"}

// networkError returns why netring does not serve a network, nil if netring does.
func networkError(network string) error {
	name, _, _ := strings.Cut(network, ":") // as in "ip4:icmp"
	switch {
	case slices.Contains(networks, network):
		return nil
	case slices.Contains([]string{"udp", "udp4", "udp6", "ip", "ip4", "ip6", "unixgram"}, name):
		return unservedNetwork{net.UnknownNetworkError(network)}
	}
	return net.UnknownNetworkError(network) // package net does not know the network either
}

// unservedNetwork is the error for a network that only package net serves.
type unservedNetwork struct{ net.UnknownNetworkError }

func (e unservedNetwork) Error() string {
	return fmt.Sprintf("netring: network %q is not served; use one of %q, or package net", string(e.UnknownNetworkError), networks)
}

// Unwrap lets errors.As find package net's error.
func (e unservedNetwork) Unwrap() error { return e.UnknownNetworkError }
