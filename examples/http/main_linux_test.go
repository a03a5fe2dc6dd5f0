package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestExample(t *testing.T) {
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		for range 3 {
			resp, err := (&http.Client{Transport: tr}).Get("http://" + e.Addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != "Hello, World!\n" || err != nil {
				t.Errorf("it serves %q, %v", body, err)
			}
		}
	})
}
