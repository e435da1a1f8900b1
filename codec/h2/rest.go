package h2

// Resting says whether the reader is between two frames and in no header block: then it may be dropped, and Rested is as
// good as it was.
func (r *Reader) Resting() bool { return r.stage == stageHeader && r.block == 0 }

// Rested returns a reader between two frames.
func Rested() Reader { return Reader{stage: stageHeader} }
