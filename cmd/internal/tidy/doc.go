// Package tidy holds the tests that keep the house in order: which room may import which, how long a file or a
// function may grow, what must be documented, and what may not be written at all. It never ships: nothing imports it,
// and it declares nothing. Each rule is a function from parsed sources to findings, run once over the whole tree and
// once over a small bad example that it must catch.
//
// Reading order: tree_test.go (what a rule sees), imports_test.go (the one table of rooms), then one file per rule.
package tidy
