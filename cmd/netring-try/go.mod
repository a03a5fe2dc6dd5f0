module github.com/netring-go/netring/cmd/netring-try

go 1.25.0
