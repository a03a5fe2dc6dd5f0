module github.com/netring-go/netring

go 1.25.0

require (
	github.com/iceber/iouring-go v0.0.0-20230403020409-002cfd2e2a90
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.49.0
	golang.org/x/sys v0.40.0
)
