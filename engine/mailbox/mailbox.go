// Package mailbox is how anybody reaches a loop that is not theirs: a bounded queue with many posters and one
// taker, and one wake-up per batch. Posting never blocks: a full box refuses, so two loops that post to each other
// cannot deadlock. Part of the box is reserved for letters that end work (verdicts, closes), so that a flood of new
// work cannot keep old work from finishing.
package mailbox

import "sync"

// Box is a bounded queue of letters of one type, owned by the loop that takes from it.
type Box[T any] struct {
	mu      sync.Mutex // held for a few instructions, never across a call out
	letters []T
	spare   []T // the slice taken last, reused when the next batch is taken
	bound   int // letters of any kind
	open    int // letters that begin new work: bound less the reserve
	wake    func()
}

// New makes a box of at most bound letters, of which reserve are kept for PostReserved. Wake is called, outside the
// lock, when the first letter of a batch arrives; it may be called from any goroutine.
func New[T any](bound, reserve int, wake func()) *Box[T] {
	return &Box[T]{bound: bound, open: bound - reserve, wake: wake}
}

// Post offers a letter that begins new work. It reports false, and drops the letter, when the box is full.
func (b *Box[T]) Post(letter T) bool { return b.post(letter, b.open) }

// PostReserved offers a letter that ends work already begun; it may use the reserve.
func (b *Box[T]) PostReserved(letter T) bool { return b.post(letter, b.bound) }

func (b *Box[T]) post(letter T, bound int) bool {
	b.mu.Lock()
	n := len(b.letters)
	if n >= bound {
		b.mu.Unlock()
		return false
	}
	b.letters = append(b.letters, letter)
	b.mu.Unlock()
	if n == 0 {
		b.wake()
	}
	return true
}

// Take returns all letters in the order in which they were posted. The slice is the owner's until the next Take,
// which reuses it.
func (b *Box[T]) Take() []T {
	b.mu.Lock()
	taken := b.letters
	clear(b.spare)
	b.letters = b.spare[:0]
	b.spare = taken
	b.mu.Unlock()
	return taken
}

// Len counts the letters that wait.
func (b *Box[T]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.letters)
}
