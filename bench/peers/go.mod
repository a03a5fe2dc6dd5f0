module github.com/netring-go/netring/bench/peers

go 1.25.0

require (
	github.com/brickingsoft/rio v1.6.15
	github.com/cloudwego/netpoll v0.7.2
	github.com/godzie44/go-uring v0.0.0-20220926161041-69611e8b13d5
	github.com/lesismal/nbio v1.6.7
	github.com/panjf2000/gnet/v2 v2.9.5
)

require (
	github.com/brickingsoft/bytebuffers v1.4.2 // indirect
	github.com/bytedance/gopkg v0.1.1 // indirect
	github.com/cloudwego/gopkg v0.1.4 // indirect
	github.com/lesismal/llib v1.2.2 // indirect
	github.com/libp2p/go-sockaddr v0.1.1 // indirect
	github.com/panjf2000/ants/v2 v2.11.3 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.27.0 // indirect
	golang.org/x/crypto v0.41.0 // indirect
	golang.org/x/net v0.43.0 // indirect
	golang.org/x/sync v0.11.0 // indirect
	golang.org/x/sys v0.35.0 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.2.1 // indirect
)
