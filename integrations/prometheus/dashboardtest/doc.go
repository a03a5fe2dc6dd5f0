// Package dashboardtest tests the Grafana dashboard of integrations/prometheus with
// Prometheus's own query engine. It is a module of its own, so that users of
// integrations/prometheus do not depend on that engine.
package dashboardtest
