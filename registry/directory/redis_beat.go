package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

// verifyEach is after how many beats the servers are asked who they are though nothing has happened.
const verifyEach = 5

// Beat renews the lease and reads the node table. The view's incarnation is "" when the servers could not be asked.
func (r *Redis) Beat(ctx context.Context, b Beat) (View, error) {
	client, ctx, cancel, err := r.call(ctx)
	if err != nil {
		return View{}, err
	}
	defer cancel()
	tag := "{" + r.cfg.Prefix + "}:"
	leave := ""
	if b.Leave {
		leave = "leave"
	}
	c := scriptCall{
		keys: []string{tag + "nodes", tag + "leases", tag + "changed", tag + "gone", tag + "table", r.bornKey("")},
		args: []string{
			b.Node.Instance.field(), encodeRow(b.Node), millis(b.Lease), string(b.Known), string(b.Mark), leave,
			millis(r.cfg.ClaimTTL), strconv.Itoa(maxGone), strconv.Itoa(MaxLapsed), r.ident.now.Load().clock(0).expects(),
		},
	}
	for _, ended := range b.Bury {
		c.args = append(c.args, ended.field())
	}
	v, from, at, err := readView(beatScript.do(ctx, client, []scriptCall{c})[0])
	if err != nil {
		return View{}, explain(err)
	}

	if now := r.ident.now.Load(); now != nil && (from != now.first || now.clock(0).apart(at) > r.farOff()) {
		r.doubt()
	}
	if r.verify(ctx, r.beats.Add(1)%verifyEach == 0) == nil {
		v.Incarnation = r.ident.now.Load().incarnation
	}
	return v, nil
}

// readView reads what the script says, and which server it is of, at what time.
func readView(reply rueidis.RedisResult) (v View, from part, at clock, err error) {
	said, err := reply.ToArray()
	if err != nil {
		return v, from, at, err
	}
	if len(said) != 10 {
		return v, from, at, fmt.Errorf("it gave %d answers of 10", len(said))
	}
	var text [10]string
	for _, i := range []int{0, 1, 5, 6, 7, 8, 9} {
		if text[i], err = said[i].ToString(); err != nil {
			return v, from, at, err
		}
	}
	v.Version, v.Full, v.Marked = Version(text[0]), text[1] == "1", Incarnation(text[5])
	from = part{born: text[6], run: text[7], jumped: text[9]}
	at = readClock(text[8])
	rows, err := said[2].AsStrSlice()
	if err != nil {
		return v, from, at, err
	}
	for i := 0; i+1 < len(rows); i += 2 {
		if id, ok := instanceOf(rows[i]); ok {
			v.Nodes = append(v.Nodes, decodeRow(id, rows[i+1]))
		}
	}
	if v.Gone, err = instancesOf(said[3]); err != nil {
		return v, from, at, err
	}
	v.Lapsed, err = instancesOf(said[4])
	return v, from, at, err
}

func instancesOf(m rueidis.RedisMessage) (ids []Instance, err error) {
	fields, err := m.AsStrSlice()
	for _, field := range fields {
		if id, ok := instanceOf(field); ok {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// rowText is a row of the node table as the store has it: JSON, so that releases may add fields.
type rowText struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Release  string `json:"release,omitempty"`
	Check    string `json:"check,omitempty"`
	Complete string `json:"complete,omitempty"`
}

func encodeRow(n Node) string {
	text, err := json.Marshal(rowText{n.Name, n.Address, n.Release, n.Check, string(n.Complete)})
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return string(text)
}

// decodeRow reads a row. Of one that cannot be read the instance is known still: it exists, and cannot be reached.
func decodeRow(id Instance, text string) Node {
	var row rowText
	if json.Unmarshal([]byte(text), &row) != nil {
		return Node{Instance: id}
	}
	return Node{
		Instance: id, Name: row.Name, Address: row.Address, Release: row.Release, Check: row.Check, Complete: Incarnation(row.Complete),
	}
}
