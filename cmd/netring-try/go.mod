module github.com/netring-go/netring/cmd/netring-try

go 1.25.0

require (
	github.com/netring-go/netring v0.0.0
	golang.org/x/sys v0.40.0
	golang.org/x/tools v0.41.0
)

replace github.com/netring-go/netring => ../..
