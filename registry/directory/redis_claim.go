package directory

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

const (
	// atOnce is how many keys are sent before the answers are awaited. It bounds what is lost with a connection, and for
	// how long the others there wait.
	atOnce = 256

	// keptFor ends answers in the client's view; its invalidation ends them before.
	keptFor = time.Hour
)

func (r *Redis) claimKey(h Hash) string { return r.claimK + string(h[:]) }

// Claim writes the state of keys, each with a time to live of its own: some tenth more or less than ClaimTTL, so that what
// was written together does not end together.
func (r *Redis) Claim(ctx context.Context, owner Instance, changes []Change) {
	call := strconv.FormatUint(r.calls.Add(1), 10)
	for batch := range slices.Chunk(changes, atOnce) {
		client, ctx, cancel, err := r.call(ctx)
		if err != nil {
			for i := range batch {
				batch[i].Err = err
			}
			continue
		}
		r.claim(ctx, client, owner, call, batch)
		cancel()
	}
}

func (r *Redis) claim(ctx context.Context, client rueidis.Client, owner Instance, call string, batch []Change) {
	field := owner.field()
	var ended rueidis.Commands
	var endedOf []int
	var ours []int
	_, known := r.claimed.Load(owner)
	for i, c := range batch {
		batch[i].Err = nil
		switch {
		case c.Held && !known:
			r.claimed.Store(owner, nil)
			known = true
			fallthrough
		case c.Held, known:
			ours = append(ours, i)
		default: // the claim of one that has ended: nobody writes it any more
			ended, endedOf = append(ended, client.B().Hdel().Key(r.claimKey(c.Hash)).Field(field).Build()), append(endedOf, i)
		}
	}
	if len(ended) > 0 {
		for n, reply := range client.DoMulti(ctx, ended...) {
			batch[endedOf[n]].Err = explain(reply.Error())
		}
	}
	if len(ours) > 0 {
		r.claimOurs(ctx, client, field, call, batch, ours)
	}
}

// perScript is how many keys one run of a script writes, under 0.3 ms of the server's time. In a cluster each has a slot
// of its own.
const perScript = 64

func (r *Redis) claimOurs(ctx context.Context, client rueidis.Client, field, call string, batch []Change, ours []int) {
	size := perScript
	if r.shape == clustered {
		size = 1
	}
	var calls []scriptCall
	for part := range slices.Chunk(ours, size) {
		c := scriptCall{make([]string, 0, len(part)), append(make([]string, 0, len(part)+2), field, call)}
		for _, i := range part {
			ttl := int64(0)
			if batch[i].Held {
				ttl = dithered(r.cfg.ClaimTTL)
			}
			c.keys = append(c.keys, r.claimKey(batch[i].Hash))
			c.args = append(c.args, strconv.FormatInt(ttl, 10))
		}
		calls = append(calls, c)
	}
	for n, reply := range claimOnce.do(ctx, client, calls) {
		said, err := reply.AsStrSlice()
		for at, i := range ours[n*size : min((n+1)*size, len(ours))] {
			switch {
			case err != nil:
				batch[i].Err = explain(err)
			case at >= len(said):
				batch[i].Err = explain(errShort)
			case said[at] != "":
				batch[i].Err = explain(scriptError(said[at]))
			}
		}
	}
}

var errShort = errors.New("the server said nothing of a claim")

// dithered is a time to live in seconds, within a tenth of the given one.
func dithered(ttl time.Duration) int64 {
	seconds := max(1, int64(ttl/time.Second))
	return seconds - seconds/10 + rand.Int64N(seconds/5+1)
}

// Lookup finds the owners of keys. What is fresh has been read from the server after Lookup was called.
func (r *Redis) Lookup(ctx context.Context, keys []Hash, fresh bool, found []Found) {
	for at := 0; at < len(keys); at += atOnce {
		end := min(at+atOnce, len(keys))
		r.lookup(ctx, keys[at:end], fresh, found[at:end])
	}
}

func (r *Redis) lookup(ctx context.Context, keys []Hash, fresh bool, found []Found) {
	missing := make([]int, 0, len(keys))
	for i, h := range keys {
		var kept bool
		if found[i] = (Found{}); !fresh {
			found[i].Owners, kept = r.kept.get(h)
		}
		if !kept {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return
	}
	client, ctx, cancel, err := r.call(ctx)
	if err != nil {
		for _, i := range missing {
			found[i].Err = err
		}
		return
	}
	defer cancel()
	var replies []rueidis.RedisResult
	switch {
	case fresh && r.shape == clustered:
		r.lookupClustered(ctx, client, keys, found)
		return
	case fresh:
		cmds := make(rueidis.Commands, len(missing), len(missing)+2)
		for n, i := range missing {
			cmds[n] = client.B().Hkeys().Key(r.claimKey(keys[i])).Build()
		}
		// Claims that a jump of the clock has ended are missing in answers that came after it, and so did the time.
		cmds = append(cmds, client.B().Time().Build())
		// The client takes another master into use before it ends the connection to the former.
		if r.shape == sentinel {
			cmds = append(cmds, connCommand(client))
		}
		replies = client.DoMulti(ctx, cmds...)
		now := r.ident.now.Load()
		if t, err := replies[len(missing)].AsStrSlice(); err == nil && now.clock(0).off(t) > r.farOff() {
			r.doubt()
		}
		if r.shape == sentinel {
			conn, err := connOf(replies[len(missing)+1])
			if now == nil || err != nil || conn != now.conn {
				r.doubt()
			}
		}
	default:
		cmds := make([]rueidis.CacheableTTL, len(missing))
		for n, i := range missing {
			cmds[n] = rueidis.CT(client.B().Hkeys().Key(r.claimKey(keys[i])).Cache().ToStaticTTL(), keptFor)
		}
		replies = client.DoMultiCache(ctx, cmds...)
	}
	for n, i := range missing {
		m, err := replies[n].ToMessage()
		if err == nil {
			found[i].Owners, err = ownersOf(m)
		}
		found[i].Err = explain(err)
	}
}

// lookupClustered asks freshly in a cluster, where a replica may have become the master of a slot without any event on a
// connection: an answer by a server that is not known as a master is one.
func (r *Redis) lookupClustered(ctx context.Context, client rueidis.Client, keys []Hash, found []Found) {
	calls := make([]scriptCall, len(keys))
	for i, h := range keys {
		calls[i].keys = []string{r.claimKey(h)}
	}
	now, strange := r.ident.now.Load(), false
	for i, reply := range ownersAt.do(ctx, client, calls) {
		said, err := reply.AsStrSlice()
		if err != nil || len(said) < 3 {
			found[i].Err = explain(err)
			continue
		}
		c, known := now.clockOf(said[0])
		strange = strange || !known || c.off(said[1:]) > r.farOff()
		for _, f := range said[3:] {
			if id, ok := instanceOf(f); ok {
				found[i].Owners = append(found[i].Owners, id)
			}
		}
	}
	if strange {
		r.doubt()
	}
}
