// Package netringgrpc fits netring to grpc-go.
//
//	ln, err := netringgrpc.Listen("tcp", ":50051") // was: net.Listen
//	if err != nil {
//		return err
//	}
//	return server.Serve(ln)
//
// A client uses grpc.WithContextDialer(netringgrpc.DialContext).
//
// grpc-go treats package net's types specially in two places. It reads from them without
// holding a buffer for a connection that is idle, and it sets TCP_USER_TIMEOUT on them. A
// [Conn] brings both to netring's connections. TLS connections wait with a buffer, as
// with package net, because the buffer is crypto/tls's.
//
// [ListenConfig] and [Dialer] have the settings. If the program passes other keepalive
// parameters than the default to grpc-go, it must set the same here.
//
// Outside Linux, grpc-go does neither with package net, and a Conn adds nothing. With
// EngineNet, listeners and connections are package net's own types, which grpc-go knows.
package netringgrpc
