package directory

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// cacheShards bounds how long a writer holds up those who look.
const cacheShards = 64

// cache keeps answers for as long as the server that gave them would say if they changed. It never keeps that nobody
// claims a key. An answer belongs to the connection that it came by: that connection hears of changes, in order with its
// answers, so an old answer cannot come after the word that it is old; and when it ends, its answers end.
type cache struct {
	prefix string // of a claim's key
	max    int    // of each shard
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu   sync.RWMutex
	kept map[Hash]answer
}

type answer struct {
	owners Owners
	of     *cacheConn
}

func newCache(entries int, prefix string) *cache {
	c := &cache{prefix: prefix, max: max(1, entries/cacheShards)}
	for i := range c.shards {
		c.shards[i].kept = make(map[Hash]answer)
	}
	return c
}

// shard of a hash: it is keyed, so nobody can choose one.
func (c *cache) shard(h Hash) *cacheShard { return &c.shards[h[0]%cacheShards] }

func (c *cache) get(h Hash) (Owners, bool) {
	s := c.shard(h)
	s.mu.RLock()
	a, ok := s.kept[h]
	s.mu.RUnlock()
	if !ok || a.of.ended.Load() {
		return nil, false
	}
	return a.owners, true
}

func (c *cache) len() (n int) {
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].kept)
		c.shards[i].mu.RUnlock()
	}
	return n
}

// put keeps an answer. A full shard gives up any other for it.
func (c *cache) put(h Hash, a answer) {
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.of.ended.Load() { // under the lock: drop sweeps after it has set it
		return
	}
	if _, here := s.kept[h]; !here && len(s.kept) >= c.max {
		for other := range s.kept {
			delete(s.kept, other)
			break
		}
	}
	s.kept[h] = a
}

func (c *cache) remove(h Hash) {
	s := c.shard(h)
	s.mu.Lock()
	delete(s.kept, h)
	s.mu.Unlock()
}

// drop removes all that came by a connection.
func (c *cache) drop(of *cacheConn) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for h, a := range s.kept {
			if a.of == of {
				delete(s.kept, h)
			}
		}
		s.mu.Unlock()
	}
}

// hashOf is the hash in a claim's key, if it is one.
func (c *cache) hashOf(key string) (h Hash, ok bool) {
	if len(key) != len(c.prefix)+len(h) || key[:len(c.prefix)] != c.prefix {
		return h, false
	}
	copy(h[:], key[len(c.prefix):])
	return h, true
}

// cacheConn is one connection's part in the cache. The client calls Update and Delete on the goroutine that reads the
// connection, in the order of what it reads.
type cacheConn struct {
	*cache
	flushed func() // hears that the server was emptied
	ended   atomic.Bool
}

// Flight finds nothing ever: who asks has looked with get.
func (c *cacheConn) Flight(_, _ string, _ time.Duration, _ time.Time) (rueidis.RedisMessage, rueidis.CacheEntry) {
	return rueidis.RedisMessage{}, nil
}

// Update keeps the answer to a question that the client has asked, unless it is nobody.
func (c *cacheConn) Update(key, _ string, val rueidis.RedisMessage) int64 {
	if h, ok := c.hashOf(key); ok {
		if owners, err := ownersOf(val); err == nil && len(owners) > 0 {
			c.put(h, answer{owners, c})
		}
	}
	return 0
}

// Cancel has nothing to undo: questions that are under way leave no trace.
func (c *cacheConn) Cancel(string, string, error) {}

// Delete forgets what the server says has changed: nil is everything.
func (c *cacheConn) Delete(keys []rueidis.RedisMessage) {
	if keys == nil {
		c.flushed()
		c.drop(c)
		return
	}
	for i := range keys {
		if key, err := keys[i].ToString(); err == nil {
			if h, ok := c.hashOf(key); ok {
				c.remove(h)
			}
		}
	}
}

// Close forgets everything, as nobody will say any more what has changed.
func (c *cacheConn) Close(error) {
	c.ended.Store(true)
	c.drop(c)
}

// ownersOf reads the fields of a claim's key.
func ownersOf(m rueidis.RedisMessage) (Owners, error) {
	fields, err := m.AsStrSlice()
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	owners := make(Owners, 0, len(fields))
	for _, f := range fields {
		if id, ok := instanceOf(f); ok {
			owners = append(owners, id)
		}
	}
	return owners, nil
}

// instanceOf reads an instance as the store has it: 8 bytes, the highest first.
func instanceOf(field string) (Instance, bool) {
	if len(field) != 8 {
		return 0, false
	}
	return Instance(binary.BigEndian.Uint64([]byte(field))), true
}

func (i Instance) field() string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

// newCacheStore is the part of a new connection.
func (r *Redis) newCacheStore(rueidis.CacheStoreOption) rueidis.CacheStore {
	return &cacheConn{cache: r.kept, flushed: r.doubt}
}
