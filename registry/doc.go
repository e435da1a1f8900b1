// Package registry answers one question for this node: which holds wait under
// a key. It holds numbers, never pointers to anybody's state, so the garbage
// collector has nothing to walk however many keys there are.
//
// Two levels. The shared [Table] maps a key to its one holder, or to a group:
// the first member on each loop that has any. Each loop alone keeps the rest of
// its members of a key in a doubly linked list through its own records
// ([Members]). Joining and leaving cost the same in a group of two and of a
// million, and no goroutine ever follows a link that another one may recycle.
//
// A lookup must never block, lock or allocate, and must never answer with a
// handle that was not bound to exactly that key.
//
// Locks nest one way: a shard's, then the arena's. Only Config.Changed is called
// under one, a shard's; neither is held across another call to the caller.
//
// Reading order: handle.go, table.go (what a reader does), bind.go (what a
// writer does), cells.go (the hash table and the argument why readers need no
// lock), group.go, arena.go, range.go, members.go.
package registry
