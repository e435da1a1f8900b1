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

// take notes one at a time in ns, if it may be. paid is the client's number. One that is farther ahead than any debt
// reaches is older than it looks: the count of units has come round.
func (t meter) take(paid *uint32, now int64) bool {
	at := uint32(now >> meterShift)
	owed := int32(*paid - at)
	if owed < 0 || int64(owed) > int64(t.most)+int64(t.each) {
		owed = 0
	}
	if owed > t.most {
		return false
	}
	*paid = at + uint32(owed) + t.each
	return true
}
