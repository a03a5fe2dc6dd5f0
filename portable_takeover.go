package netring

import "net"

// wrap is ListenConfig.Wrap. It makes l the listener. With EngineNet, it returns sl. If p
// is nil, the listener is on the default one. Outside Linux, l keeps sl, which stays open.
func (l *portableListener) wrap(lc *ListenConfig, p *portablePoller, sl net.Listener) (own net.Listener, err error) {
	network := sl.Addr().Network()
	fail := func(err error) (net.Listener, error) { return nil, listenError(network, sl.Addr(), err) }
	s, ok := sl.(streamListener)
	if !ok {
		return fail(noSocketError(sl))
	}
	p, err = acquirePortable(p, network, "ListenConfig.Coalesce", lc.Coalesce)
	if err != nil {
		return fail(err)
	}
	if p.std {
		return sl, nil
	}
	if err := p.add(s); err != nil {
		return fail(err)
	}
	l.init(p, network, s)
	return nil, nil
}

// wrap is Dialer.WrapConn. It makes c the connection. With EngineNet, it returns sc. If p
// is nil, the connection is on the default one. Outside Linux, c keeps sc, which stays open.
func (c *portableConn) wrap(d *Dialer, p *portablePoller, sc net.Conn) (own net.Conn, err error) {
	network := sc.LocalAddr().Network()
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "wrap", Net: network, Source: sc.LocalAddr(), Addr: sc.RemoteAddr(), Err: err}
	}
	if _, ok := sc.(stream); !ok {
		return fail(noSocketError(sc))
	}
	p, err = acquirePortable(p, network, "Dialer.Coalesce", d.Coalesce)
	if err != nil {
		return fail(err)
	}
	if p.std {
		return sc, nil
	}
	if err := c.init(p, network, sc); err != nil {
		return fail(err)
	}
	return nil, nil
}
