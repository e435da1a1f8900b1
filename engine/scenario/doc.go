// Package scenario is tests only: gateways, sessions and loops as engine.Start assembles them, but each over a kernel
// of memory and ticked by hand, so that a whole node's behaviour is replayed from a seed. It must never hold code that
// anything imports.
package scenario
