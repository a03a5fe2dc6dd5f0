package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// grpcCalls is how many calls a gRPC connection has under way.
const grpcCalls = 16

// runGRPC calls a method that does next to nothing, grpcCalls times at once on each
// connection.
func (l *loader) runGRPC() (res loadResult, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Not a deadline: each call would carry it.
	defer time.AfterFunc(l.job.patience(), cancel).Stop()
	var workers []*worker
	var conns []*grpc.ClientConn
	defer func() {
		for _, c := range conns {
			err = errors.Join(err, c.Close())
		}
	}()
	server := fmt.Sprintf("127.0.0.1:%d", l.job.Port)
	for i := range l.job.Conns {
		conn, err := grpc.NewClient(server, grpc.WithNoProxy(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return res, err
		}
		conns = append(conns, conn)
		health := grpc_health_v1.NewHealthClient(conn)
		check := func() error {
			answer, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
			if err == nil && answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
				err = fmt.Errorf("the server is %v", answer.Status)
			}
			return err
		}
		if err := check(); err != nil { // connects
			return res, err
		}
		for range grpcCalls {
			workers = append(workers, newWorker(fmt.Sprintf("connection %d", i), check))
		}
	}
	return l.runWorkers(workers)
}
