// Package mirror is the service of the gRPC example.
package mirror

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative mirror.proto
