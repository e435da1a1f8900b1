package websocket

import (
	"math"
	"time"
)

// meterShift makes the unit of a meter's times: 2^16 ns, so that 32 bits last for three days.
const meterShift = 16

// meter bounds how often a client may do something, by a single number per client: the time at which it has done all
// that it may by now (a leaky bucket in the form of the generic cell rate algorithm). Stops floods of small messages
// and pings (1008).
type meter struct {
	each uint32 // units that one costs, 0 unbounded
	most int32  // units that may be owed
}

func newMeter(rate, burst int) meter {
	if rate <= 0 {
		return meter{}
	}
	each := max(int64(time.Second)>>meterShift/int64(rate), 1)
	return meter{each: uint32(each), most: int32(min(each*int64(max(burst, 1)-1), math.MaxInt32/2))}
}

// take notes one at a time in ns, if it may be. paid is the client's number, 0 at first.
func (t meter) take(paid *uint32, now int64) bool {
	owed := t.owed(*paid, now)
	if owed > t.most {
		return false
	}
	*paid = max(uint32(now>>meterShift)+uint32(owed)+t.each, 1)
	return true
}

// owed is what has been done beyond what may be by now, in units. A number that is farther ahead than any debt reaches
// is older than it looks: the count of units has come round.
func (t meter) owed(paid uint32, now int64) int32 {
	owed := int32(paid - uint32(now>>meterShift))
	if paid == 0 || owed < 0 || int64(owed) > int64(t.most)+int64(t.each) {
		return 0
	}
	return owed
}

// settled is the number of a client: 0 again when nothing is owed, so that it does not grow old.
func (t meter) settled(paid uint32, now int64) uint32 {
	if t.owed(paid, now) == 0 {
		return 0
	}
	return paid
}
