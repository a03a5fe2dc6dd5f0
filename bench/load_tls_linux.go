package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// runTLS is runMessages over TLS.
func (l *loader) runTLS() (res loadResult, err error) {
	l.answers = httpAnswers()
	var workers []*worker
	for i := range l.job.Conns {
		conn, err := dialTLS(l.job.Port)
		if err != nil {
			return res, err
		}
		defer conn.Close() // of what was measured nothing is left to be told
		if err := conn.SetDeadline(time.Now().Add(l.job.patience())); err != nil {
			return res, err
		}
		c := &tlsClient{id: i, conn: conn, answers: l.answers}
		// The first answer tells all workers how long answers are.
		if err := c.exchange(); err != nil {
			return res, err
		}
		workers = append(workers, newWorker(fmt.Sprintf("connection %d", i), c.exchange))
	}
	return l.runWorkers(workers)
}

// dialTLS connects with TLS 1.3.
func dialTLS(port int) (*tls.Conn, error) {
	d := &net.Dialer{Timeout: connectTimeout}
	// The certificate is made by the server's process for this run only; the
	// answers say whether it is the right server.
	cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	return tls.DialWithDialer(d, "tcp", fmt.Sprintf("127.0.0.1:%d", port), cfg)
}

// tlsClient is one connection.
type tlsClient struct {
	id      int
	conn    *tls.Conn
	answers *answers
	buf     [4 << 10]byte
}

// exchange makes one request.
func (c *tlsClient) exchange() error {
	if _, err := c.conn.Write([]byte(load.Request)); err != nil {
		return err
	}
	for got := 0; got == 0 || got < c.answers.length; {
		n, err := c.conn.Read(c.buf[:])
		if n > 0 {
			if err := c.answers.check(c.id, got, c.buf[:n]); err != nil {
				return err
			}
			if got += n; got > c.answers.length {
				return fmt.Errorf("an answer of %d bytes instead of %d", got, c.answers.length)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
