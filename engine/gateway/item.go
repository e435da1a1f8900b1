package gateway

import (
	"encoding/base64"

	"github.com/bytedance/sonic"

	"holdfast/engine/exchange"
	"holdfast/engine/mem"
	"holdfast/engine/route"
)

// itemJSON validates strings and copies them: what comes from outside must not carry raw control bytes, nor point into
// a buffer that is used again.
var itemJSON = sonic.Config{ValidateString: true, CopyString: true}.Froze()

const (
	maxBatchItems = 64 << 10 // 413 beyond: an item costs some 300 bytes, however few it has
	batchTurn     = 256      // items dispatched at a time
)

// item is one message of a JSON stream or batch. Data is a string, or any other JSON value, which is then sent as the
// JSON text that it is; Base64 carries what is no text.
type item struct {
	Key    string   `json:"key"`
	Keys   []string `json:"keys"`
	ID     string   `json:"id"`
	Event  string   `json:"event"`
	Type   string   `json:"type"`
	Data   rawJSON  `json:"data"`
	Base64 string   `json:"base64"`
	TTL    rawJSON  `json:"ttl"`
}

// rawJSON is a JSON value left as it is.
type rawJSON []byte

// UnmarshalJSON keeps the value's text.
func (r *rawJSON) UnmarshalJSON(b []byte) error {
	*r = append((*r)[:0], b...)
	return nil
}

var (
	errItem   = &refusal{400, "the item is not a JSON object like {\"key\":\"alice\",\"data\":\"hello\"}"}
	errNoKey  = &refusal{400, "the item names no key"}
	errBase64 = &refusal{400, "the item's base64 is malformed"}
	errArray  = &refusal{400, "the batch is not a JSON array of items like {\"key\":\"alice\",\"data\":\"hello\"}"}
)

func decodeItem(line []byte) (*item, error) {
	it := new(item)
	if err := itemJSON.Unmarshal(line, it); err != nil {
		return nil, errItem
	}
	return it, nil
}

// payload makes the item's message.
func (it *item) payload(most int) (*mem.Payload, error) {
	data, isJSON, err := it.data()
	switch {
	case err != nil:
		return nil, err
	case len(data) > most:
		return nil, errPayload
	case it.ID != "" && !validName([]byte(it.ID)), it.Event != "" && !validName([]byte(it.Event)),
		it.Type != "" && !validName([]byte(it.Type)):
		return nil, errName
	}
	p := mem.NewPayload(len(data))
	p.Append(data)
	p.SetID([]byte(it.ID))
	p.SetEvent([]byte(it.Event))
	switch {
	case it.Type != "":
		p.SetType([]byte(it.Type))
	case isJSON:
		p.SetType([]byte(jsonType))
	default:
		p.SetType([]byte("text/plain; charset=utf-8"))
	}
	return p, nil
}

func (it *item) data() (data []byte, isJSON bool, err error) {
	switch {
	case it.Base64 != "":
		data, err = base64.StdEncoding.DecodeString(it.Base64)
		if err != nil {
			return nil, false, errBase64
		}
		return data, false, nil
	case len(it.Data) == 0 || string(it.Data) == "null":
		return nil, false, nil
	case it.Data[0] == '"':
		var text string
		if err := itemJSON.Unmarshal(it.Data, &text); err != nil {
			return nil, false, errItem
		}
		return []byte(text), false, nil
	}
	return it.Data, true, nil
}

// beginBatch starts a JSON batch: it is read whole, then dispatched a part at a time.
func (g *Gateway) beginBatch(x exchange.Exchange, h *exchange.Head, policy *route.Policy) {
	if h.Length > int64(g.cfg.MaxBatch) {
		g.refuse(x, errBatch)
		return
	}
	t := g.newTask(x, taskBatch, policy)
	t.body = mem.Get(int(max(h.Length, 0)))
}

func (g *Gateway) startBatch(x exchange.Exchange, t *task) {
	if elements(t.body.B) > maxBatchItems {
		g.refuse(x, errBatch)
		return
	}
	if err := itemJSON.Unmarshal(t.body.B, &t.batch); err != nil {
		g.refuse(x, errArray)
		return
	}
	t.keep(nil)
	g.moreOfBatch(x, t)
	g.settleStream(x, t)
}

// elements is how many elements the array b has, at most: what stands between its outermost commas.
func elements(b []byte) (n int) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 1 {
				n++
			}
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return n + 1
}

// moreOfBatch dispatches items while few enough wait for their verdict. It goes on when the verdicts are sent: neither
// a long batch nor a publisher that does not read them costs more than a turn's worth at a time.
func (g *Gateway) moreOfBatch(x exchange.Exchange, t *task) {
	t.pumping = true
	for turn := 0; len(t.batch) > 0 && t.flying < t.policy.MaxItemsFlying && !t.resting; turn++ {
		if turn == batchTurn || g.space.Queued(t.slot) > g.cfg.VerdictBacklog {
			t.resting = true
			x.WantDrained()
			break
		}
		it := &t.batch[0]
		t.batch = t.batch[1:]
		g.takeItem(x, t, it, nil)
	}
	t.pumping = false
}
