package netring_test

import (
	"fmt"
	"io"
	"log"
)

func ExampleConn_Unread() {
	server, client := connect()
	defer server.Close()
	io.WriteString(client, "hello")
	client.Close()
	var first [1]byte
	server.Read(first[:]) // receives more than it asks for
	for server.Unread() < 4 {
		log.Fatal("cannot happen: five bytes were sent at once")
	}
	_, err := server.File()
	fmt.Println(err != nil)
	rest := make([]byte, server.Unread())
	io.ReadFull(server, rest) // does not wait
	f, err := server.File()
	fmt.Printf("%s%s %v\n", first, rest, err)
	f.Close()
	// Output:
	// true
	// hello <nil>
}
