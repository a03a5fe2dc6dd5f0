module example.com/sockets

go 1.25.0
