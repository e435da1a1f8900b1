package swarm

// Books is what became of the pushes of one load.
type Books struct {
	Sent       int64 // pushes
	Unsent     int64 // pushes that were due but found no publisher free in time
	Unanswered int64 // pushes whose verdict never came
	Promised   int64 // deliveries that verdicts spoke of: delivered and pending
	Arrived    int64 // messages at the clients, each counted once
	Lost       int64 // promised, and not arrived
	Surplus    int64 // arrived beyond what the verdict promised
	Passed     int64 // clients under the key that the verdict did not count as reached; unknown in polls
	Doubled    int64 // messages that came to the same client again
	Disordered int64 // messages that came after a later one of the same publisher and key
	Stray      int64 // messages that came to a client of another key
	Garbled    int64 // messages with other content than was sent
	Unchecked  int64 // arrivals too old to be booked: the ledger had gone on
}

// Broken says whether a server broke its word: a message lost, doubled, disordered, misled or changed.
func (b *Books) Broken() bool {
	return b.Lost > b.Unchecked || b.Doubled+b.Disordered+b.Stray+b.Garbled > 0
}

func (b *Books) add(o *Books) {
	b.Sent += o.Sent
	b.Unsent += o.Unsent
	b.Unanswered += o.Unanswered
	b.Promised += o.Promised
	b.Arrived += o.Arrived
	b.Lost += o.Lost
	b.Surplus += o.Surplus
	b.Passed += o.Passed
	b.Doubled += o.Doubled
	b.Disordered += o.Disordered
	b.Stray += o.Stray
	b.Garbled += o.Garbled
	b.Unchecked += o.Unchecked
}

// ledgerPlaces is how many pushes of one load and loop are remembered, a power of two: an older push is judged by what
// is known when its place is needed. Flat out that is seconds ago.
const ledgerPlaces = 1 << 18

// entry is one push. The zero entry is a place that nobody has used.
type entry struct {
	number   int64 // from 1
	intended int64 // monotonic ns
	promised uint32
	arrived  uint32
	state    entryState
}

type entryState uint8

const (
	asked    entryState = iota // the verdict has not come
	answered                   // it has
	silent                     // it never will: the publisher's connection ended
)

// complete says that nothing more is expected of a push.
func (e *entry) complete() bool { return e.state != asked && e.arrived >= e.promised }

// missed is told what of a push had not come when it was judged: the verdict, or some of its messages.
type missed func(intended, now int64, verdict bool, messages uint32)

// ledger keeps one load's pushes of one loop and compares promises with arrivals. Numbers are from 0 on, in order.
type ledger struct {
	places []entry
	open   int // pushes that something is still expected of
	books  Books
	missed missed
}

func newLedger(missed missed) *ledger {
	return &ledger{places: make([]entry, ledgerPlaces), missed: missed}
}

func (l *ledger) place(number int64) *entry { return &l.places[number%int64(len(l.places))] }

// find returns the entry of a push, nil if it is not known any more or never was.
func (l *ledger) find(number int64) *entry {
	if len(l.places) == 0 || number < 0 {
		return nil
	}
	if e := l.place(number); e.number == number+1 {
		return e
	}
	return nil
}

// send opens the entry of a push.
func (l *ledger) send(number, intended, now int64) {
	e := l.place(number)
	l.judge(e, now)
	*e = entry{number: number + 1, intended: intended}
	l.open++
	l.books.Sent++
}

// update changes an entry and keeps count of those that are open.
func (l *ledger) update(e *entry, change func()) {
	before := e.complete()
	change()
	if after := e.complete(); after != before {
		if after {
			l.open--
		} else {
			l.open++
		}
	}
}

// answer books a verdict: promised deliveries, of which there could have been as many as the key has members.
func (l *ledger) answer(number int64, promised, members uint32) {
	l.books.Promised += int64(promised)
	l.books.Passed += max(int64(members)-int64(promised), 0)
	if e := l.find(number); e != nil {
		l.update(e, func() { e.state, e.promised = answered, promised })
	}
}

// lapse notes that a verdict will never come.
func (l *ledger) lapse(number, now int64) {
	l.books.Unanswered++
	if e := l.find(number); e != nil {
		l.update(e, func() { e.state = silent })
		l.missed(e.intended, now, true, 0)
	}
}

// arrive books a message that reached a client for the first time.
func (l *ledger) arrive(number int64) {
	l.books.Arrived++
	if e := l.find(number); e != nil {
		l.update(e, func() { e.arrived++ })
	} else {
		l.books.Unchecked++
	}
}

// judge settles an entry for good and gives its place free.
func (l *ledger) judge(e *entry, now int64) {
	if e.number == 0 {
		return
	}
	if !e.complete() {
		l.open--
	}
	switch {
	case e.state == asked:
		l.books.Unanswered++
		l.missed(e.intended, now, true, 0)
	case e.arrived < e.promised:
		l.books.Lost += int64(e.promised - e.arrived)
		l.missed(e.intended, now, false, e.promised-e.arrived)
	case e.state == answered:
		l.books.Surplus += int64(e.arrived - e.promised)
	}
	*e = entry{}
}

// close judges everything.
func (l *ledger) close(now int64) {
	for i := range l.places {
		l.judge(&l.places[i], now)
	}
}
