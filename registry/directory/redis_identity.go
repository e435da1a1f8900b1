package directory

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// clusterTags is into how many equal parts the slots of a cluster are divided to find its masters: each master with twice
// that many slots in one piece is found.
const clusterTags = 32

// identity is which servers hold the store, as far as it is known. An event (a connection that begins or ends, a flush)
// puts it in doubt until the servers have been asked anew.
type identity struct {
	tags      []string      // of keys that every part of the store has, that of the node table first
	events    atomic.Uint64 // so far
	sentinels atomic.Int32  // connections to sentinels
	wake      chan struct{} // something has happened
	asking    chan struct{} // holds one who asks
	now       atomic.Pointer[standing]
}

// standing is the answer of the servers.
type standing struct {
	events      uint64 // that had happened before they were asked
	incarnation Incarnation
	masters     []string // their names in a cluster, by tag
	clocks      []clock  // by tag
	first       part     // where the node table is
	conn        string   // by which the master answered, under sentinels
	warning     string
	forgets     bool // the servers may drop claims
}

// part is what the server of one tag says of itself, and by how much its clock has jumped.
type part struct{ born, run, jumped string }

func newIdentity(s shape) *identity {
	i := &identity{tags: []string{""}, wake: make(chan struct{}, 1), asking: make(chan struct{}, 1)}
	if s == clustered {
		i.tags = append(i.tags, tagsOfSlots(clusterTags)...)
	}
	return i
}

// doubt is called when something has happened.
func (r *Redis) doubt() {
	r.ident.events.Add(1)
	select {
	case r.ident.wake <- struct{}{}:
	default:
	}
}

// watch asks the servers who they are after each event, until they say so.
func (r *Redis) watch() {
	defer r.work.Done()
	var again <-chan time.Time
	pause := retryMin
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.ident.wake:
		case <-again:
		}
		if again = nil; r.client.Load() == nil {
			continue // connect asks
		}
		if r.verify(r.ctx, false) == nil {
			pause = retryMin
			continue
		}
		again, pause = time.After(pause), min(2*pause, retryMax)
	}
}

// Incarnation is what the servers said last: false while something has happened since, or they may forget.
func (r *Redis) Incarnation() (Incarnation, bool) {
	now := r.ident.now.Load()
	if now == nil || r.ctx.Err() != nil {
		return "", false
	}
	certain := now.events == r.ident.events.Load() && !now.forgets
	if r.shape == sentinel && r.ident.sentinels.Load() == 0 { // nobody would tell of a new master
		certain = false
	}
	return now.incarnation, certain
}

// Warning is what is wrong with the servers' settings, "" if nothing is.
func (r *Redis) Warning() string {
	if now := r.ident.now.Load(); now != nil {
		return now.warning
	}
	return ""
}

// verify asks the servers who they are. Without again it does not while that stands without doubt.
func (r *Redis) verify(ctx context.Context, again bool) error {
	client, ctx, cancel, err := r.call(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	i := r.ident
	select {
	case i.asking <- struct{}{}:
		defer func() { <-i.asking }()
	case <-ctx.Done():
		return explain(ctx.Err())
	}
	for range 4 { // asking may make connections, which are events
		before := i.events.Load()
		if now := i.now.Load(); now != nil && now.events == before && !again {
			return nil
		}
		again = false
		now, err := r.ask(ctx, client)
		if err != nil {
			return explain(err)
		}
		now.events = before
		i.now.Store(now)
	}
	if i.now.Load().events != i.events.Load() {
		return explain(errors.New("its connections come and go"))
	}
	return nil
}

// ask learns who the servers are.
func (r *Redis) ask(ctx context.Context, client rueidis.Client) (*standing, error) {
	cmds := make([]scriptCall, len(r.ident.tags))
	was := r.ident.now.Load()
	for i, tag := range r.ident.tags {
		cmds[i] = scriptCall{keys: []string{r.bornKey(tag)}, args: []string{rand.Text(), was.clock(i).expects(), millis(r.farOff())}}
	}
	now := &standing{}
	var err error
	if r.shape == sentinel {
		if now.conn, err = connOf(client.Do(ctx, connCommand(client))); err != nil {
			return nil, err
		}
	}
	var runs, parts []string
	for i, reply := range identify.do(ctx, client, cmds) {
		said, err := reply.AsStrSlice()
		switch {
		case err != nil:
			return nil, err
		case len(said) != 8:
			return nil, fmt.Errorf("it gave %d answers of 8", len(said))
		case said[5] != "master":
			return nil, errors.New("it is a replica: name the master, or use redis-sentinel")
		case i == 0:
			now.first = part{said[0], said[1], said[2]}
		}
		parts, runs = append(parts, said[0], said[2]), append(runs, said[1])
		now.masters, now.clocks = append(now.masters, said[4]), append(now.clocks, readClock(said[3]))
		if limit, _ := strconv.ParseInt(said[6], 10, 64); limit > 0 && said[7] != "noeviction" {
			now.forgets = true
			now.warning = fmt.Sprintf("the Redis may drop claims when it is full (maxmemory-policy %s): set noeviction; "+
				"until then nobody can be known to be absent, and pushes to absent keys answer 503", said[7])
		}
	}
	if r.shape == sentinel {
		if conn, err := connOf(client.Do(ctx, connCommand(client))); err != nil || conn != now.conn {
			return nil, cmp.Or(err, errors.New("the master changes just now"))
		}
	}
	slices.Sort(runs)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(runs), " ") + "/" + strings.Join(parts, " ")))
	now.incarnation = Incarnation(hex.EncodeToString(sum[:16]))
	return now, nil
}

// connCommand asks for the connection that it is sent by.
func connCommand(client rueidis.Client) rueidis.Completed { return client.B().ClientInfo().Build() }

// connOf reads the answer: the connection's number and both ends as the server knows them, which no two servers have in
// common.
func connOf(reply rueidis.RedisResult) (string, error) {
	text, err := reply.ToString()
	if err != nil {
		return "", err
	}
	conn, _, ok := strings.Cut(text, " fd=")
	if !ok {
		return "", errors.New("it does not say which connection this is")
	}
	return conn, nil
}

// bornKey is the key of a random word that its server got when it was empty: who empties it changes the word.
func (r *Redis) bornKey(tag string) string {
	if tag == "" {
		return "{" + r.cfg.Prefix + "}:born"
	}
	return r.cfg.Prefix + ":born:{" + tag + "}"
}

// tagsOfSlots finds n hash tags, one in each equal part of a cluster's slots.
func tagsOfSlots(n int) []string {
	const slots = 1 << 14
	tags := make([]string, n)
	for candidate, left := 0, n; left > 0; candidate++ {
		tag := strconv.Itoa(candidate)
		if at := int(crc16(tag)) % slots * n / slots; tags[at] == "" {
			tags[at] = tag
			left--
		}
	}
	return tags
}

// crc16 is the CRC that maps keys to slots: XMODEM's, as the cluster specification of Redis has it.
func crc16(s string) (crc uint16) {
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
