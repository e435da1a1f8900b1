//go:build race

package loop

const churnTotal = 50_000 // a twentieth: the race detector makes it slow
