module github.com/netring-go/netring/integrations/suites

go 1.25.0
