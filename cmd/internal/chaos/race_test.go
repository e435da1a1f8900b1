//go:build race

package chaos

// Under the race detector the daemon is built with it, too: a race ends it with a report and an exit code of its own.
func init() { buildFlags = append(buildFlags, "-race") }
