package flags

import (
	"errors"
	"fmt"
	"math"
)

// bounds is what a field's new value may be. A number out of them is refused, not bent: whoever gave it meant something.
type bounds struct {
	own         bool  // the row says itself what is not too low
	least, most int64 // of a number
	nonZero     bool  // a number may be anything else
	filled      bool  // a text must not be empty
}

func unbounded() *bounds { return &bounds{least: math.MinInt64, most: math.MaxInt64} }

// From says that a number may be as low as least, 0 for example, which the help should then explain.
func (f Flag) From(least int) Flag {
	f.bounds.own, f.bounds.least = true, int64(least)
	return f
}

// To says that a number may be as high as most.
func (f Flag) To(most int) Flag {
	f.bounds.most = int64(most)
	return f
}

// OrBelow says that numbers below 0 mean something, which the help should explain; 0 does not.
func (f Flag) OrBelow() Flag {
	f.bounds.own, f.bounds.nonZero = true, true
	return f
}

// OrEmpty says that an empty text means something, which the help should explain.
func (f Flag) OrEmpty() Flag {
	f.bounds.own = true
	return f
}

// Strict refuses, in all rows that do not say otherwise themselves, numbers that are not above 0, and empty texts where the default
// is none.
func (t Table) Strict() Table {
	for _, f := range t {
		if !f.bounds.own {
			f.bounds.least = 1
			f.bounds.filled = f.Default != ""
		}
	}
	return t
}

// number checks a number, which errors call by its noun.
func (b *bounds) number(n int64, noun string) error {
	switch {
	case b.nonZero && n == 0:
		return fmt.Errorf("want %s other than 0", noun)
	case n >= b.least && n <= b.most:
		return nil
	case b.most < math.MaxInt64:
		return fmt.Errorf("want %s from %d to %d", noun, b.least, b.most)
	case b.least == 1:
		return fmt.Errorf("want %s above 0", noun)
	}
	return fmt.Errorf("want %s of %d or more", noun, b.least)
}

func (b *bounds) text(s string) error {
	if b.filled && s == "" {
		return errors.New("want a text that is not empty")
	}
	return nil
}
