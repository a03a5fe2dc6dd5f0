package load

import "net"

// Request is what a client asks of an HTTP server.
const Request = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"

// Answer is what it gets from a server that does not look at requests.
const Answer = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nHello, World!\n"

// AnswerReads gives an Answer to each read into a buffer of that size, until the peer
// hangs up, and closes c. A small request comes in one read.
func AnswerReads(c net.Conn, size int) {
	buf := make([]byte, size)
	out := []byte(Answer)
	for {
		// Whatever the error, the connection is over.
		if _, err := c.Read(buf); err != nil {
			break
		}
		if _, err := c.Write(out); err != nil {
			break
		}
	}
	_ = c.Close() // nobody is left to be told of an error
}
