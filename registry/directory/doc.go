// Package directory answers one question for the cluster: which nodes hold a key. A node writes claims for the keys
// that its own table has, and reads other nodes' claims; the [Store] that they share keeps keyed hashes of keys, never
// names, and never what is pushed. A claim is one field, the instance that holds the key, and counts only while that
// instance's lease lives or the instance itself can be asked.
//
// Read store.go for what is shared, then directory.go. A node's side: claims.go, pending.go and write.go bring keys to the
// store, reclaim.go and pace.go all of them anew; beat.go and nodes.go keep the lease and the view of the cluster; ask.go
// and deadline.go ask for owners. The stores: memory.go; redis.go, then redis_claim.go, redis_beat.go with script_beat.lua,
// redis_identity.go and redis_clock.go for which servers hold it and how their clocks go, cache.go for answers kept.
//
// It must never guess: an answer says whether it is certain, and a store that was emptied, failed over, or could not be
// asked in time gives none that is.
package directory
