module github.com/netring-go/netring/cmd/netring-try

go 1.25.0

require (
	github.com/netring-go/netring v0.0.0
	golang.org/x/sys v0.40.0
	golang.org/x/tools v0.41.0
)

require (
	github.com/iceber/iouring-go v0.0.0-20230403020409-002cfd2e2a90 // indirect
	golang.org/x/mod v0.32.0 // indirect
	golang.org/x/sync v0.19.0 // indirect
)

replace github.com/netring-go/netring => ../..
