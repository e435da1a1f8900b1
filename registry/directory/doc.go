// Package directory answers one question for the cluster: which nodes hold a key. A node writes claims for the keys
// that its own table has, and reads other nodes' claims; the [Store] that they share keeps keyed hashes of keys, never
// names, and never what is pushed. A claim is one field, the instance that holds the key, and counts only while that
// instance's lease lives or the instance itself can be asked.
//
// It must never guess: an answer says whether it is certain, and a store that was emptied, failed over, or could not be
// asked in time gives none that is.
package directory
