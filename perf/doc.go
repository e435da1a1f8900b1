// Package perf holds no code of its own: its tests measure the daemon, built and run as users do, against the budgets
// that it promises. The load tools are in the packages below it.
package perf
