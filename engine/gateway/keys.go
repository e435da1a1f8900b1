package gateway

import (
	"holdfast/codec/field"
	"holdfast/codec/key"
	"holdfast/engine/exchange"
	"holdfast/engine/route"
)

// keySet is the keys that a request or an item names, each once: nobody gets a message twice for a key named twice.
type keySet struct {
	names []byte // decoded, one behind the other
	ends  []int  // where each ends in names
}

// emptied is the set without its keys; it keeps their memory.
func (s *keySet) emptied() keySet { return keySet{names: s.names[:0], ends: s.ends[:0]} }

// key is one of the set's.
func (s *keySet) key(i int) []byte {
	start := 0
	if i > 0 {
		start = s.ends[i-1]
	}
	return s.names[start:s.ends[i]]
}

// seal ends the key that names was made longer by, or forgets it if the set has it already.
func (s *keySet) seal(start int) {
	name := s.names[start:]
	for i := range s.ends {
		if string(s.key(i)) == string(name) {
			s.names = s.names[:start]
			return
		}
	}
	s.ends = append(s.ends, len(s.names))
}

// addList adds each key of a list.
func (s *keySet) addList(list key.List) (key.List, error) {
	for {
		names, ok, err := list.Next(s.names)
		if err != nil || !ok {
			return list, err
		}
		start := len(s.names)
		s.names = names
		s.seal(start)
	}
}

// addAll adds names that are not encoded.
func (s *keySet) addAll(names []string) error {
	for _, name := range names {
		if err := key.Check([]byte(name)); err != nil {
			return err
		}
		start := len(s.names)
		s.names = append(s.names, name...)
		s.seal(start)
	}
	return nil
}

// read collects the keys of the path, or of all Push-Key fields. Both together are a mistake: one would be ignored.
func (s *keySet) read(h *exchange.Head, policy *route.Policy, rest []byte) error {
	if len(rest) > 0 {
		if field.Count(h.Fields, "push-key") > 0 {
			return errTwoKeys
		}
		_, err := s.addList(key.NewList(rest, policy.MaxKeys))
		return err
	}
	left := policy.MaxKeys
	for i := range h.Fields {
		if field.EqualFold(h.Fields[i].Name, "push-key") {
			list, err := s.addList(key.NewList(h.Fields[i].Value, left))
			if err != nil {
				return err
			}
			left = list.Left()
		}
	}
	return nil
}
