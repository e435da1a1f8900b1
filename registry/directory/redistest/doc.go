// Package redistest starts real Redis servers for tests, in every topology, and does to them what happens to servers:
// they are killed, stopped for a while, restarted empty, refuse passwords, run full. Each has a directory of its own and a
// free port, and ends with its test. It is for test files only; read server.go, then replicated.go and cluster.go.
package redistest
