// Package chaos is the fault laboratory: real nodes and real Redis servers as processes, each on a host of its own with
// links that can be cut, clients and publishers that write down what they saw, and checkers that judge it. It never
// ships: nothing imports it, and it declares nothing. It must never look inside a node: what neither a socket, nor the
// admin API, nor the store itself tells is not its business.
//
// The hosts are network namespaces inside one that the tests enter at their start. That takes root, or a kernel that
// grants user namespaces; all of it is gone when the tests' process is, however that ends.
//
// Reading order: enter_test.go and network_test.go (hosts and cuts), process_test.go, redis_test.go and node_test.go
// (what runs on them), history_test.go, client_test.go and publisher_test.go (what is written down), check_test.go,
// order_test.go and union_test.go (how it is judged), lab_test.go (all of them together), rows_test.go (the fault table)
// and random_test.go (faults by seed).
package chaos
