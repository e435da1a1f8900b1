// Package e2e holds the tests of the built daemon with the clients that people have: curl, a browser, plain sockets. It
// never ships: nothing imports it, and it declares nothing. It must never look inside the daemon: what cannot be seen
// from the command line, a socket, /proc or a signal is not its business.
//
// Reading order: build_test.go, process_test.go and daemon_test.go (how a node is run), wire_test.go (a client that is
// a bare socket), then one file per promise.
package e2e
