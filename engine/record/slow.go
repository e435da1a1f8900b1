package record

import "time"

// SlowPolicy says what happens to a connection that does not read what it is sent.
type SlowPolicy struct {
	QueueBytes int           // bytes that may wait, 0: the loop's default
	Stall      time.Duration // no progress for this long evicts, 0: the loop's default
	Action     SlowAction
}

// SlowAction is what gives way when a slow connection's queue is full.
type SlowAction uint8

// The actions.
const (
	SlowClose  SlowAction = iota // the connection is evicted
	SlowOldest                   // the oldest messages are dropped until the new one fits
	SlowLatest                   // all messages that have not begun to leave are dropped for the new one
)
