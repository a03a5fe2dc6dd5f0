module github.com/netring-go/netring/bench

go 1.25.0

require (
	github.com/HdrHistogram/hdrhistogram-go v1.1.2
	github.com/netring-go/netring v0.0.0
	golang.org/x/sys v0.40.0
)

require github.com/iceber/iouring-go v0.0.0-20230403020409-002cfd2e2a90 // indirect

replace github.com/netring-go/netring => ../
