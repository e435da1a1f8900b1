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
		keys: []string{tag + "nodes", tag + "leases", tag + "version", tag + "mark", r.bornKey("")},
		args: []string{
			b.Node.Instance.field(), encodeRow(b.Node), strconv.FormatInt(b.Lease.Milliseconds(), 10),
			strconv.FormatUint(b.Known, 10), string(b.Mark), leave, strconv.FormatInt(r.cfg.ClaimTTL.Milliseconds(), 10),
		},
	}
	for _, ended := range b.Bury {
		c.args = append(c.args, ended.field())
	}
	v, from, err := readView(beatScript.do(ctx, client, []scriptCall{c})[0], b.Known)
	if err != nil {
		return View{}, explain(err)
	}

	if now := r.ident.now.Load(); now != nil && r.shape != clustered && from != now.first {
		r.doubt()
	}
	if r.verify(ctx, r.beats.Add(1)%verifyEach == 0) == nil {
		v.Incarnation = r.ident.now.Load().incarnation
	}
	return v, nil
}

// readView reads what the script says, and of which server it is.
func readView(reply rueidis.RedisResult, known uint64) (v View, from part, err error) {
	said, err := reply.ToArray()
	if err != nil {
		return v, from, err
	}
	if len(said) != 6 {
		return v, from, fmt.Errorf("it gave %d answers of 6", len(said))
	}
	if v.Version, err = said[0].AsUint64(); err != nil {
		return v, from, err
	}
	table, err := said[1].AsStrSlice()
	if err != nil {
		return v, from, err
	}
	if v.Version != known {
		v.Nodes = make([]Node, 0, len(table)/2)
		for i := 0; i+1 < len(table); i += 2 {
			if id, ok := instanceOf(table[i]); ok {
				v.Nodes = append(v.Nodes, decodeRow(id, table[i+1]))
			}
		}
	}
	lapsed, err := said[2].AsStrSlice()
	if err != nil {
		return v, from, err
	}
	for _, field := range lapsed {
		if id, ok := instanceOf(field); ok {
			v.Lapsed = append(v.Lapsed, id)
		}
	}
	mark, err := said[3].ToString()
	if err != nil {
		return v, from, err
	}
	v.Marked = Incarnation(mark)
	from.born, _ = said[4].ToString()
	from.run, _ = said[5].ToString()
	return v, from, nil
}

// rowText is a row of the node table as the store has it: JSON, so that releases may add fields.
type rowText struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Release  string `json:"release,omitempty"`
	Complete string `json:"complete,omitempty"`
}

func encodeRow(n Node) string {
	text, err := json.Marshal(rowText{n.Name, n.Address, n.Release, string(n.Complete)})
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
	return Node{Instance: id, Name: row.Name, Address: row.Address, Release: row.Release, Complete: Incarnation(row.Complete)}
}
