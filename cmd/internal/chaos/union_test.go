package chaos

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"holdfast/cmd/internal/admin"
	"holdfast/registry/directory"
)

// claim is one field in the store: an instance says that it holds a key.
type claim struct {
	hash     directory.Hash
	instance directory.Instance
}

// claims are names of what is claimed, by claim.
type claims map[claim]string

// compare waits until the directory says what the nodes' tables say, no more and no less. A claim of a node that has
// ended goes when somebody looks for its key, so every key is looked for once.
func (l *lab) compare() {
	l.t.Helper()
	for i, key := range l.keys {
		l.push("sweep-"+key, key, l.nodes[i%len(l.nodes)], false)
	}
	var missing, extra []string
	var err error
	same := within(l.span()+20*time.Second, func() bool {
		missing, extra, err = l.difference()
		return err == nil && len(missing)+len(extra) == 0
	})
	if !same {
		l.t.Errorf("the directory is not what the nodes hold: %d claims are missing %q, %d are too many %q (%v)",
			len(missing), missing[:min(5, len(missing))], len(extra), extra[:min(5, len(extra))], err)
	}
}

// difference reads the store and the tables.
func (l *lab) difference() (missing, extra []string, err error) {
	tables, err := l.tables()
	if err != nil {
		return nil, nil, err
	}
	stored := claims{}
	for _, addr := range l.store.masters() {
		if err := readClaims(addr, stored); err != nil {
			return nil, nil, err
		}
	}
	missing, extra = diff(tables, stored)
	return missing, extra, nil
}

func diff(want, have claims) (missing, extra []string) {
	for c, name := range want {
		if _, ok := have[c]; !ok {
			missing = append(missing, name)
		}
	}
	for c, name := range have {
		if _, ok := want[c]; !ok {
			extra = append(extra, name)
		}
	}
	slices.Sort(missing)
	slices.Sort(extra)
	return missing, extra
}

// tables are the claims that the nodes' own tables ask for.
func (l *lab) tables() (claims, error) {
	hash := directory.NewHasher(l.secret)
	all := claims{}
	for _, n := range l.nodes {
		instance, err := n.instance()
		if err != nil {
			return nil, err
		}
		for after := ""; ; {
			var page admin.KeyPage
			if err := n.get("/v1/keys?limit=1000&after="+url.QueryEscape(after), &page); err != nil {
				return nil, err
			}
			for _, k := range page.Keys {
				name, err := url.PathUnescape(k.Key)
				if err != nil {
					return nil, err
				}
				all[claim{hash.Sum([]byte(name)), instance}] = name + " on " + n.name
			}
			if after = page.Next; after == "" {
				break
			}
		}
	}
	return all, nil
}

const claimPrefix = "hf:k:"

// readClaims adds every claim that a server has.
func readClaims(addr string, into claims) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true})
	if err != nil {
		return err
	}
	defer client.Close()
	for cursor := uint64(0); ; {
		page, err := client.Do(ctx, client.B().Scan().Cursor(cursor).Match(claimPrefix+"*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		for _, key := range page.Elements {
			fields, err := client.Do(ctx, client.B().Hgetall().Key(key).Build()).AsStrMap()
			if err != nil {
				return err
			}
			for field := range maps.Keys(fields) {
				c, err := parseClaim(key, field)
				if err != nil {
					return err
				}
				into[c] = fmt.Sprintf("%x by %x", c.hash, uint64(c.instance))
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

func parseClaim(key, field string) (c claim, err error) {
	raw, ok := strings.CutPrefix(key, claimPrefix)
	if !ok || len(raw) != len(c.hash) || len(field) != 8 {
		return c, fmt.Errorf("no claim: %q %q", key, field)
	}
	copy(c.hash[:], raw)
	c.instance = directory.Instance(binary.BigEndian.Uint64([]byte(field)))
	return c, nil
}

func TestDifferencesAreSeen(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	s := newStore(t, n.newHost("store", 0), single)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: s.masters(), ForceSingleClient: true, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	want := claims{}
	write := func(i int) {
		t.Helper()
		var c claim
		binary.BigEndian.PutUint64(c.hash[:], uint64(i/2)) // two nodes hold each key
		c.instance = directory.Instance(i%3 + 1)
		want[c] = fmt.Sprint("claim ", i)
		field := string(binary.BigEndian.AppendUint64(nil, uint64(c.instance)))
		set := client.B().Hset().Key(claimPrefix+string(c.hash[:])).FieldValue().FieldValue(field, "").Build()
		if err := client.Do(t.Context(), set).Error(); err != nil {
			t.Fatal(err)
		}
	}
	f := func(missing, extra int) {
		t.Helper()
		have := claims{}
		if err := readClaims(s.masters()[0], have); err != nil {
			t.Fatal(err)
		}
		if less, more := diff(want, have); len(less) != missing || len(more) != extra {
			t.Errorf("missing %q, too many %q; want %d and %d", less, more, missing, extra)
		}
	}
	f(0, 0)
	for i := range 3000 {
		write(i)
	}
	f(0, 0)
	for c := range want {
		delete(want, c)
		break
	}
	f(0, 1)
	want[claim{instance: 9}] = "never written"
	f(1, 1)
	s.servers[0].restartEmpty()
	f(3000, 0)
}
