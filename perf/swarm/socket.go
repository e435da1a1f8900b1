package swarm

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"holdfast/codec/ws"
	"holdfast/engine/record"
)

// goodbye is how long a WebSocket's other end may take to close after both have said so.
const goodbye = time.Second

// socketKey is what client i says in Sec-WebSocket-Key, made anew wherever it is needed.
func (w *worker) socketKey(dst []byte, i uint32) []byte {
	var nonce [16]byte
	binary.BigEndian.PutUint64(nonce[:], scatter(uint64(w.run)<<32|uint64(i)))
	binary.BigEndian.PutUint64(nonce[8:], scatter(uint64(w.index)<<32|uint64(w.run)))
	return ws.AppendKey(dst, nonce)
}

// appendUpgrade asks for a WebSocket.
func (w *worker) appendUpgrade(b []byte, i uint32) []byte {
	offer := ""
	if w.cfg.Deflate {
		offer = ws.DeflateOffer
	}
	w.secret = w.socketKey(w.secret[:0], i)
	return ws.AppendAsk(b, w.secret, "", offer)
}

// upgraded judges the answer to a WebSocket's request.
func (w *worker) upgraded(i uint32) error {
	if status := w.response.Status; status != 101 {
		return errStatus(status)
	}
	w.secret = w.socketKey(w.secret[:0], i)
	if err := ws.CheckAnswer(w.response.Fields, w.secret); err != nil {
		return err
	}
	deflate, err := ws.CheckDeflate(w.response.Fields, w.cfg.Deflate)
	if err != nil {
		return err
	}
	if deflate {
		w.counts.Deflated.Add(1)
	}
	w.sockets[i] = ws.NewParser(ws.Client, deflate)
	return nil
}

// frames reads what came on a WebSocket. Control frames are answered and count for nothing.
func (w *worker) frames(slot uint32, r *record.Record, c *client, b []byte) (used int) {
	i := r.Extra - 1
	for {
		ev, n, err := w.sockets[i].Next(b[used:], &w.socketLimits)
		used += n
		if err == nil && ev.Kind == ws.Data {
			err = w.reader.piece(i, &ev)
		}
		if err != nil {
			w.cutOff(slot, c, protocolTrouble(err))
			return len(b)
		}
		switch ev.Kind {
		case ws.NeedMore:
			return used
		case ws.Ping:
			w.say(slot, ws.PongFrame, ev.Payload)
		case ws.Close:
			w.closed(slot, c, ev.Code)
			return len(b)
		case ws.Data, ws.Pong:
		}
	}
}

// say sends one control frame.
func (w *worker) say(slot uint32, op ws.Opcode, payload []byte) {
	w.loop.Write(slot, ws.AppendMasked(w.loop.Compose(), op, ws.Fin, ws.Mask(rand.Uint32()), payload))
}

// closed answers a close frame in kind. The server closes the connection then, RFC 6455 §7.1.1.
func (w *worker) closed(slot uint32, c *client, code ws.Code) {
	c.told = true
	w.trouble(fmt.Sprintf("a WebSocket was closed with code %d", code))
	w.letGo(c)
	w.say(slot, ws.CloseFrame, ws.AppendClosePayload(nil, code, ""))
	w.loop.CloseAfterWrite(slot)
	w.loop.SetDeadline(slot, w.loop.Now()+int64(goodbye))
}

// piece reads a piece of a WebSocket's message.
func (r *reader) piece(client uint32, ev *ws.Event) error {
	b := r.join(client, ev.Payload)
	if !ev.Last {
		return r.keep(client, b)
	}
	if ev.Compressed {
		plain, err := r.inflater.Append(r.plain[:0], b, r.longest)
		if err != nil {
			return err
		}
		r.plain, b = plain, plain
	}
	r.message(client, b)
	r.drop(client)
	return nil
}
