package h1

// Remaining is how many bytes of the body are still to come, or -1 when its framing does not tell.
func (d *Body) Remaining() int64 {
	switch d.state {
	case bodyEnd:
		return 0
	case bodyLength:
		return d.left
	default:
		return -1
	}
}
